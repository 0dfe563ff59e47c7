internal import AgentCore
internal import AgentSystem
internal import AgentWire
internal import Testing

/// Published by AWS; a signature that fits nothing but the real one cannot be right by chance.
@Suite("AWS Signature Version 4")
struct SigV4Tests {
    struct Vector: CustomTestStringConvertible {
        var name: String
        var method = "GET"
        var path = "/"
        var query: [(String, String)] = []
        var headers: [(String, String)] = []
        var payload = SigV4.emptyPayload
        var signature: String

        var testDescription: String { name }
    }

    /// "Signature Calculations for the Authorization Header", Amazon S3 API reference: the four examples.
    static let documentation = [
        Vector(
            name: "GET object with a range", path: "/test.txt", headers: [("range", "bytes=0-9")],
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Vector(
            name: "PUT object", method: "PUT", path: "/" + SigV4.percentEncoded("test$file.text"),
            headers: [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            payload: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Vector(
            name: "GET bucket lifecycle", query: [("lifecycle", "")],
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Vector(
            name: "list objects", query: [("max-keys", "2"), ("prefix", "J")],
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ]

    @Test("Signs as the examples of Amazon's S3 documentation do", arguments: documentation)
    func examples(_ vector: Vector) {
        let signer = SigV4(
            accessKeyID: Secret("AKIAIOSFODNN7EXAMPLE"),
            secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), region: "us-east-1", service: "s3",
            signer: OpenSSLMessageSigner())
        let stamp = "20130524T000000Z"
        let headers =
            vector.headers + [
                ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", vector.payload),
                ("x-amz-date", stamp),
            ]
        #expect(Self.signature(signer, vector, headers: headers, stamp: stamp) == vector.signature)
    }

    private static let token =
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8"
        + "YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6"
        + "q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJ"
        + "abIQwj2ICCR/oLxBA=="

    /// From the AWS Signature Version 4 test suite, under its names.
    static let suite = [
        Vector(
            name: "get-vanilla",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Vector(
            name: "get-vanilla-query-order-key-case", query: [("Param2", "value2"), ("Param1", "value1")],
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        Vector(
            name: "get-utf8", path: SigV4.percentEncoded("/ሴ", keepingSlashes: true),
            signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        Vector(
            name: "get-unreserved",
            path: SigV4.percentEncoded(
                "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", keepingSlashes: true),
            signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        Vector(
            name: "post-vanilla", method: "POST",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        Vector(
            name: "post-sts-header-before", method: "POST", headers: [("x-amz-security-token", token)],
            signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
    ]

    @Test("Signs as the AWS test suite does", arguments: suite)
    func testSuite(_ vector: Vector) {
        let signer = SigV4(
            accessKeyID: Secret("AKIDEXAMPLE"), secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            region: "us-east-1", service: "service", signer: OpenSSLMessageSigner())
        let stamp = "20150830T123600Z"
        let headers = vector.headers + [("host", "example.amazonaws.com"), ("x-amz-date", stamp)]
        #expect(Self.signature(signer, vector, headers: headers, stamp: stamp) == vector.signature)
    }

    private static func signature(
        _ signer: SigV4, _ vector: Vector, headers: [(String, String)], stamp: String
    ) -> String {
        let value = signer.authorization(
            method: vector.method, path: vector.path, query: vector.query.map { (name: $0.0, value: $0.1) },
            headers: headers.map { (name: $0.0, value: Secret($0.1)) }, timestamp: stamp, payloadHash: vector.payload)
        return String(value.reveal().suffix(64))
    }
}
