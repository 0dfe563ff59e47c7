/// CloudEvents as a node sends them.
enum Event {
    static func json(
        _ sequence: Int, of node: String, id: String? = nil, type: String = "phase", state: String = "loading",
        data: String = ""
    ) -> String {
        let digits = String(sequence)
        let padded = String(repeating: "0", count: 16 - digits.count) + digits
        return """
            {"specversion":"1.0","id":"\(id ?? "event-\(sequence)")","source":"/nodes/\(node)",\
            "type":"io.crosslogic.node.\(type).v1","time":"2026-01-02T03:04:05.678Z",\
            "datacontenttype":"application/json","sequence":"\(padded)",\
            "data":{"node_id":"\(node)","generation":1,"state":"\(state)"\(data)}}
            """
    }
}
