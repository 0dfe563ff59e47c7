internal import AgentWire
internal import Testing

@Suite struct StrictJSONTests {
    @Test(
        "A member that is named twice in one object makes the document mean two things",
        arguments: [
            #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{"x":[{"b":{"c":1,"d":2,"c":3}}]}"#,
            #"[{"a":null,"b":0,"a":null}]"#,
        ])
    func twice(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parseUnambiguous([UInt8](text.utf8)) }
    }

    @Test(
        "The same name in different objects is no matter",
        arguments: [
            #"{"a":{"a":1},"b":{"a":2}}"#, #"[{"a":1},{"a":1}]"#, "7", #""a""#, "{}", "[]", #"{"a":"a","A":1}"#,
        ])
    func once(text: String) throws {
        #expect(try JSONValue.parseUnambiguous([UInt8](text.utf8)) == JSONValue.parse([UInt8](text.utf8)))
    }

    @Test(
        "What is no JSON, or is meant to hurt a reader, is refused in bounded time and stack",
        arguments: [
            String(repeating: "[", count: 100_000), String(repeating: #"{"a":"#, count: 100_000), #"{"a":NaN}"#,
            #"{"a":Infinity}"#, #"{"a":1e999999}"#, "{\"a\":\"\u{0}\"}", #"{"a":01}"#, #"{"a":"\ud800"}"#, "{'a':1}",
            String(repeating: "[", count: 500) + String(repeating: "]", count: 500),
        ])
    func hostile(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parseUnambiguous([UInt8](text.utf8)) }
    }
}
