/// `content-length`, `date` and `connection` are the server's to add.
package struct ServerReply: Equatable, Sendable {
    package struct Header: Equatable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var status: Int
    package var contentType: String
    package var body: [UInt8]
    package var headers: [Header]

    package init(status: Int, contentType: String, body: [UInt8], headers: [Header] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.headers = headers
    }
}
