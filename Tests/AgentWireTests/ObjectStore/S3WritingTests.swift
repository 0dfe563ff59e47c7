internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import AgentWire
internal import Testing

@Suite("Writing to the object store")
struct S3WritingTests {
    private let requests = S3Requests(
        store: Assignment.sample().store, bucket: "b", signer: OpenSSLMessageSigner(), wallTime: { 0 })

    private func header(_ name: String, of request: HTTPRequest) -> String? {
        request.headers.first { $0.name == name }?.value.reveal()
    }

    @Test("The body's hash is signed with it")
    func put() {
        let request = requests.put("caches/x", Array("abc".utf8), timeout: .seconds(9))
        #expect(request.method == .put)
        #expect(request.timeout == .seconds(9))
        #expect(request.body == Array("abc".utf8))
        #expect(
            header("x-amz-content-sha256", of: request)
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let other = requests.put("caches/x", Array("abd".utf8), timeout: .seconds(9))
        #expect(header("Authorization", of: request) != header("Authorization", of: other))
    }

    @Test("Deletes by its own method, and signs it")
    func delete() {
        let request = requests.delete("caches/x")
        #expect(request.method == .delete)
        #expect(request.body == nil)
        #expect(header("Authorization", of: request) != header("Authorization", of: requests.list(prefix: "caches/x")))
    }

    @Test("A listing tells content and time of each object")
    func listing() throws {
        let page = """
            <ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>3</Size>\
            <ETag>&quot;x&quot;</ETag><LastModified>2026-11-22T03:00:00.000Z</LastModified></Contents></ListBucketResult>
            """
        let object = StoredObject(name: "a", bytes: 3, tag: "x", modifiedAt: "2026-11-22T03:00:00.000Z")
        #expect(try S3Listing.parse(Array(page.utf8)).objects == [object])
    }
}
