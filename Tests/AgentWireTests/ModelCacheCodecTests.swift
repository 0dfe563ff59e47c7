internal import AgentCore
internal import AgentWire
internal import Testing

struct ModelCacheCodecTests {
    @Test("A record comes back as it was")
    func roundTrip() throws {
        let size = DownloadPlan.partBytes * 5
        var record = ModelCacheRecord(source: "https://e/b/p/", boot: "boot", usedAt: 12.5)
        record.files["a.safetensors"] = .init(bytes: size, tag: "t", parts: PartSet("0-1,4", limit: 5))
        record.files["sub/b.json"] = .init(bytes: 3, tag: nil)
        #expect(ModelCacheCodec.parse(ModelCacheCodec.render(record)) == record)
    }

    @Test(
        "What this agent did not write means nothing",
        arguments: [
            "", "[]", "{\"schema\":2}",
            """
            {"schema":1,"source":"s","boot":"b","used_at":1,"part_bytes":1,"files":{}}
            """,
            """
            {"schema":1,"source":"s","boot":"b","used_at":1,"part_bytes":16777216,"files":{"a":{"bytes":-1}}}
            """,
            """
            {"schema":1,"source":"s","boot":"b","used_at":1,"part_bytes":16777216,"files":{"a":{"bytes":9,"parts":"7"}}}
            """,
        ])
    func refused(text: String) {
        #expect(ModelCacheCodec.parse([UInt8](text.utf8)) == nil)
    }

    @Test("ETags of a listing are its objects' tags, without quotes")
    func tags() throws {
        let listing = try S3Listing.parse(
            [UInt8](
                """
                <ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>&quot;abc-2&quot;</ETag></Contents>\
                <Contents><Key>b</Key><Size>1</Size></Contents></ListBucketResult>
                """.utf8))
        #expect(listing.objects.map(\.tag) == ["abc-2", nil])
    }
}
