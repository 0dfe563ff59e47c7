internal import AgentWire
internal import ControlPlane
internal import Testing

@Suite("The reader of JSON")
struct JSONReaderTests {
    private static func parse(_ text: String) throws(JSONSyntaxError) -> JSONValue {
        try JSONReader.parse(Array(text.utf8))
    }

    @Test("reads every kind of value")
    func values() throws {
        let text = #" {"a":[1,-2.5,1e3,true,false,null,{}],"b":"x","ä":[]} "#
        let expected = JSONValue.object([
            "a": .array([.integer(1), .number(-2.5), .integer(1000), .bool(true), .bool(false), .null, .object([:])]),
            "b": .string("x"), "ä": .array([]),
        ])
        #expect(try Self.parse(text) == expected)
    }

    @Test("reads every escape, surrogate pairs too")
    func escapes() throws {
        let text = #""\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00z""#
        #expect(try Self.parse(text) == .string("\"\\/\u{8}\u{C}\n\r\tä😀z"))
    }

    @Test(
        "refuses what the grammar does",
        arguments: [
            "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "01", "-", "1.", ".5", "1e", "+1", "NaN", "Infinity",
            "1e999", "tru", "\"a", "\"\t\"", #""\x""#, #""\u12""#, #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#,
            "1 2", "[1 2]", "{\"a\" 1}", "{\"a\":1,\"a\":2}", "\u{FEFF}1", #""\u+123""#,
        ])
    func malformed(text: String) {
        #expect(throws: JSONSyntaxError.self) { try Self.parse(text) }
    }

    @Test("refuses bytes that are no UTF-8")
    func encoding() {
        for bytes in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80]] as [[UInt8]] {
            #expect(throws: JSONSyntaxError.self) { try JSONReader.parse([0x22] + bytes + [0x22]) }
        }
    }

    @Test("goes as deep as it says and no deeper")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try Self.parse(nested(JSONReader.maximumDepth))
        for depth in [JSONReader.maximumDepth + 1, 100_000] {
            #expect(throws: JSONSyntaxError.self) { try Self.parse(nested(depth)) }
        }
    }

    @Test("reads integers to their last one, and what is beyond as numbers")
    func integers() throws {
        #expect(try Self.parse("9223372036854775807") == .integer(.max))
        #expect(try Self.parse("-9223372036854775808") == .integer(.min))
        #expect(try Self.parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
    }
}
