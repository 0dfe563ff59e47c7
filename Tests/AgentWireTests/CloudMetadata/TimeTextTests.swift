internal import AgentWire
internal import Testing

@Suite struct TimeTextTests {
    @Test(
        "Every form a cloud writes",
        arguments: [
            ("2017-09-18T08:22:00Z", 1_505_722_920.0), ("2017-09-18T08:22:00.500Z", 1_505_722_920.5),
            ("2017-09-18T10:22:00+02:00", 1_505_722_920), ("2017-09-18t08:22:00z", 1_505_722_920),
            ("Mon, 19 Sep 2016 18:29:47 GMT", 1_474_309_787), ("21 Jan 2019 09:00:43 GMT", 1_548_061_243),
            ("2 Jan 2006 15:04:05 GMT", 1_136_214_245), ("  2015-01-05T18:02:00Z\n", 1_420_480_920),
            ("2024-02-29T00:00:00Z", 1_709_164_800), ("1970-01-01T00:00:00Z", 0),
            ("2016-12-31T23:59:60Z", 1_483_228_799),
        ])
    func forms(text: String, seconds: Double) {
        #expect(TimeText.parse(text) == seconds)
    }

    @Test("Tencent's local time is Beijing's")
    func local() {
        #expect(TimeText.parse("2018-08-18 12:05:33", inZone: 8 * 3600) == 1_534_565_133)
        #expect(TimeText.parse("2018-08-18 12:05:33") == nil)
    }

    @Test(
        "What is no time is none",
        arguments: [
            "", " ", "soon", "2017-09-18", "2017-09-18T08:22Z", "2017-13-01T00:00:00Z", "2023-02-29T00:00:00Z",
            "2017-09-18T25:00:00Z", "2017-09-18T08:22:00", "2017-09-18T08:22:00Zjunk", "-1", "99999999999999999999",
            "Mon, 32 Sep 2016 18:29:47 GMT", "19 Foo 2016 18:29:47 GMT", "19 Sep 2016 18:29:47 CEST",
            "<html><body>404</body></html>", String(repeating: "2", count: 100_000),
        ])
    func noTime(text: String) {
        #expect(TimeText.parse(text) == nil)
    }
}
