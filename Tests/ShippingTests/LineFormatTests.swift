import Kafka
import Shipping
import Testing

struct LineFormatTests {
    private static let keyed = format { $0.parsesKey = true }
    private static let whole = format {
        $0.parsesHeaders = true
        $0.parsesKey = true
        $0.keySeparator = Array("::".utf8)
        $0.headersDelimiter = Array("|".utf8)
        $0.nullMarker = Array("NULL".utf8)
    }

    private static func format(_ change: (inout LineFormat) -> Void) -> LineFormat {
        var format = LineFormat()
        change(&format)
        return format
    }

    private func record(_ line: String, _ format: LineFormat) throws -> KafkaProducerRecord {
        try format.record(of: line.utf8, topic: "t")
    }

    @Test func `a line is a value as it stands`() throws {
        let record = try record("a\tb:c", LineFormat())
        #expect(record == KafkaProducerRecord(topic: "t", value: "a\tb:c"))
        #expect(try self.record("", LineFormat()) == KafkaProducerRecord(topic: "t", value: ""))
    }

    @Test func `a key ends at the first separator`() throws {
        let record = try record("42\tpaid\ttwice", Self.keyed)
        #expect(record == KafkaProducerRecord(topic: "t", key: "42", value: "paid\ttwice"))
        let empty = try self.record("\t", Self.keyed)
        #expect(empty == KafkaProducerRecord(topic: "t", key: "", value: ""))
    }

    @Test func `headers, key and value stand in this order`() throws {
        let record = try record("trace:t-77,tenant:eu|42::paid", Self.whole)
        #expect(
            record
                == KafkaProducerRecord(
                    topic: "t",
                    key: "42",
                    value: "paid",
                    headers: ["trace": "t-77", "tenant": "eu"]
                )
        )
    }

    @Test func `a header's value may hold what stands before it`() throws {
        let record = try record("at:10:30,b:|k::v", Self.whole)
        #expect(record.headers == ["at": "10:30", "b": ""])
    }

    @Test(arguments: ["|k::v", "NULL|k::v"])
    func `no headers stand before the delimiter`(line: String) throws {
        #expect(try record(line, Self.whole).headers == [:])
    }

    @Test func `the marker stands for null, only where it is all there is`() throws {
        let record = try record("a:NULL,b:NULLS|NULL::NULL", Self.whole)
        #expect(record.headers == ["a": nil, "b": "NULLS"])
        #expect(record.key == nil)
        #expect(record.value == nil)
        #expect(try self.record("NULL", LineFormat()).value == Array("NULL".utf8))
    }

    @Test func `fixed headers come first`() throws {
        var format = Self.whole
        format.fixedHeaders = [.init(name: "host", value: Array("h1".utf8))]
        #expect(try record("a:1|k::v", format).headers == ["host": "h1", "a": "1"])
    }

    static let errors: [(String, LineError, String)] = [
        ("no separator", .noHeadersDelimiter("\"|\""), "no \"|\" after the headers"),
        ("a:1|no separator", .noKeySeparator("\"::\""), "no \"::\" after the key"),
        ("a|k::v", .noHeaderKeySeparator("\":\"", header: "a"), "no \":\" in the header \"a\""),
        ("a:1,|k::v", .noHeaderKeySeparator("\":\"", header: ""), "no \":\" in the header \"\""),
        ("NULL:1|k::v", .nullHeaderName, "a header's name cannot be null"),
    ]

    @Test(arguments: Self.errors)
    func `a line without its separators is an error`(line: String, error: LineError, text: String)
        throws
    {
        #expect(throws: error) { try record(line, Self.whole) }
        #expect("\(error)".hasPrefix(text))
    }

    @Test func `a tab is called by its name`() {
        #expect(throws: LineError.noKeySeparator("tab")) { try record("k=v", Self.keyed) }
    }

    @Test func `where errors are ignored a line is a value`() throws {
        var format = Self.whole
        format.ignoresErrors = true
        #expect(
            try record("plain", format) == KafkaProducerRecord(topic: "t", value: "plain")
        )
        let record = try record("flag,a:1|k::v", format)
        #expect(record.headers == ["flag": nil, "a": "1"])
        #expect(record.key == Array("k".utf8))
    }
}
