internal import AgentCore
internal import AgentWire
internal import Testing

@Suite("S3's answers")
struct S3DocumentsTests {
    private func parse(_ text: String) throws(StoreTrouble) -> S3Listing {
        try S3Listing.parse([UInt8](text.utf8))
    }

    @Test("Reads keys and sizes of a page, whatever else an object says of itself")
    func page() throws {
        let listing = try parse(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>models</Name><Prefix>a/</Prefix>
            <KeyCount>2</KeyCount><IsTruncated>false</IsTruncated><NextContinuationToken>x</NextContinuationToken>
            <Contents><Key>a/x &amp; y&#x2f;z.json</Key><Size>17</Size><Owner><ID>1</ID></Owner><Size2/></Contents>
            <Contents><Key>a/model.safetensors</Key><LastModified>2026-01-01</LastModified><Size>16060522496</Size>
            </Contents><!-- done --></ListBucketResult>
            """)
        #expect(
            listing.objects == [
                StoredObject(name: "a/x & y/z.json", bytes: 17),
                StoredObject(name: "a/model.safetensors", bytes: 16_060_522_496, modifiedAt: "2026-01-01"),
            ])
        #expect(listing.continuation == nil)
    }

    @Test("A truncated page says how to go on, and an empty one is empty")
    func pages() throws {
        let more = "<ListBucketResult><IsTruncated>true</IsTruncated>"
        #expect(
            try parse("\(more)<NextContinuationToken>1/a=</NextContinuationToken></ListBucketResult>").continuation
                == "1/a=")
        #expect(throws: StoreTrouble.self) { try parse("\(more)</ListBucketResult>") }
        #expect(try parse("<ListBucketResult/>").objects == [])
    }

    @Test(
        "Refuses what is no listing",
        arguments: [
            "", "{}", "<html><body>Sign in</body></html>", "<ListBucketResult><Contents></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents>", "<ListBucketResult></Other>", "<ListBucketResult>&bomb;</ListBucketResult>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult/>", "<ListBucketResult",
            String(repeating: "<a>", count: 100_000), "<ListBucketResult><Key>\u{0}</Ke",
        ])
    func nonsense(_ text: String) {
        #expect(throws: StoreTrouble.self) { try parse(text) }
    }

    @Test("Takes the code out of an error, and nothing that is none")
    func errors() {
        func code(_ text: String) -> String? { S3Listing.errorCode([UInt8](text.utf8)) }
        #expect(
            code("<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>m</Message></Error>")
                == "NoSuchBucket")
        #expect(code("<Error><Code>\u{1B}[2J</Code></Error>") == nil)
        #expect(code("<html>403</html>") == nil)
        #expect(code("") == nil)
    }
}
