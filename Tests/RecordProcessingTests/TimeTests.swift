import Testing

@testable import RecordProcessing

struct TimeTests {
    private func bytes<T>(_ text: String, _ body: (Text) -> T) -> T {
        Array(text.utf8).withUnsafeBytes { body($0) }
    }

    private func seconds(_ pattern: String, _ text: String, zone: String? = nil) throws -> Int64? {
        let pattern = try TimePattern(pattern)
        let rules = try zone.map { try TimeZoneRules(named: $0) }
        return bytes(text) { pattern.parse($0, zone: rules) }.map { $0 / 1_000_000_000 }
    }

    @Test func `a winter and a summer time in Berlin have different offsets`() throws {
        let format = "%Y-%m-%d %H:%M:%S"
        #expect(try seconds(format, "2026-11-23 10:00:00", zone: "Europe/Berlin") == 1_795_424_400)
        #expect(try seconds(format, "2026-07-01 12:00:00", zone: "Europe/Berlin") == 1_782_900_000)
    }

    @Test func `the rule goes on beyond the table of the zone`() throws {
        // 2100-07-01 12:00 CEST is 10:00 UTC.
        let found = try seconds("%Y-%m-%d %H:%M:%S", "2100-07-01 12:00:00", zone: "Europe/Berlin")
        #expect(found == 4_118_119_200)
    }

    @Test func `a time that clocks skip takes the offset before`() throws {
        // 2026-03-29 02:30 does not exist in Berlin; with CET it is 01:30 UTC.
        let found = try seconds("%Y-%m-%d %H:%M", "2026-03-29 02:30", zone: "Europe/Berlin")
        #expect(found == 1_774_747_800)
    }

    @Test func `a time that clocks show twice is the earlier one`() throws {
        // 2026-10-25 02:30 is both CEST (00:30 UTC) and CET (01:30 UTC).
        let found = try seconds("%Y-%m-%d %H:%M", "2026-10-25 02:30", zone: "Europe/Berlin")
        #expect(found == 1_792_888_200)
    }

    @Test func `an offset in the text wins over the zone`() throws {
        let format = "%d/%b/%Y:%H:%M:%S %z"
        #expect(try seconds(format, "23/Nov/2026:10:00:00 +0100") == 1_795_424_400)
        #expect(try seconds(format, "23/Nov/2026:10:00:00 -0530") == 1_795_447_800)
    }

    @Test func `fractions count as written`() throws {
        let pattern = try TimePattern("%H:%M:%S,%3f")
        #expect(bytes("00:00:01,250") { pattern.parse($0, zone: nil) } == 1_250_000_000)
        #expect(bytes("00:00:01,25") { pattern.parse($0, zone: nil) } == nil)
    }

    @Test(arguments: [
        "2026-02-30 00:00:00", "2026-13-01 00:00:00", "2026-01-01 24:00:00", "2026-01-01 00:00",
        "2026-01-01 00:00:00x", "", "x",
    ])
    func `a date that there is not is refused`(text: String) throws {
        #expect(try seconds("%Y-%m-%d %H:%M:%S", text) == nil)
    }

    @Test(arguments: [
        ("2026-11-23T10:00:00Z", 1_795_428_000_000_000_000 as Int64),
        ("2026-11-23T10:00:00.5+01:00", 1_795_424_400_500_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000_000),
    ])
    func `ISO 8601 is read`(text: String, nanoseconds: Int64) {
        #expect(bytes(text) { parseISO8601($0) } == nanoseconds)
    }

    @Test(arguments: [
        (0 as Int64, "1970-01-01T00:00:00Z"), (-1_000_000_000, "1969-12-31T23:59:59Z"),
        (1_795_428_000_120_000_000, "2026-11-23T10:00:00.120Z"),
        (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
    ])
    func `ISO 8601 is written with the digits that are needed`(nanoseconds: Int64, text: String) {
        #expect(formatISO8601(nanoseconds) == text)
    }

    @Test func `days and dates are each other's inverse`() {
        for days in stride(from: -800_000 as Int64, to: 800_000, by: 37) {
            let (year, month, day) = Calendar.date(days: days)
            #expect(Calendar.days(year: year, month: month, day: day) == days)
        }
    }

    @Test(arguments: [
        "../../etc/passwd", "/etc/localtime", "", "Nowhere/Atlantis", "Europe//Berlin",
    ])
    func `a zone that is none is refused`(name: String) {
        #expect(throws: TimeZoneError.self) { try TimeZoneRules(named: name) }
    }
}
