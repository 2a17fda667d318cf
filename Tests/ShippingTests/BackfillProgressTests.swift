import Logging
import Testing

@testable import Shipping

struct BackfillProgressTests {
    private let start = ContinuousClock.now

    private func snapshot(acknowledged: Int64, of total: Int64) -> BackfillProgress.Snapshot {
        var snapshot = BackfillProgress.Snapshot()
        snapshot.acknowledgedBytes = acknowledged
        snapshot.totalBytes = total
        snapshot.fileCount = 3
        snapshot.filesDone = 1
        snapshot.currentFile = "orders-7.csv"
        snapshot.recordsSent = 12_345
        return snapshot
    }

    @Test func `the rate and the time left come from what was acknowledged`() {
        var progress = BackfillProgress(pipeline: "orders", job: "october")
        progress.record(snapshot(acknowledged: 0, of: 1000), now: start)
        progress.record(snapshot(acknowledged: 400, of: 1000), now: start + .seconds(4))
        #expect(progress.bytesPerSecond == 100)
        #expect(progress.secondsLeft == 6)
        #expect(progress.percent == 40)
    }

    @Test func `only the last half minute counts`() {
        var progress = BackfillProgress(pipeline: "orders", job: "october")
        progress.record(snapshot(acknowledged: 0, of: 100_000), now: start)
        progress.record(snapshot(acknowledged: 50_000, of: 100_000), now: start + .seconds(10))
        progress.record(snapshot(acknowledged: 50_100, of: 100_000), now: start + .seconds(20))
        progress.record(snapshot(acknowledged: 50_400, of: 100_000), now: start + .seconds(50))
        #expect(progress.bytesPerSecond == 10)
    }

    @Test func `100 % needs the last byte`() {
        var progress = BackfillProgress(pipeline: "orders", job: "october")
        progress.record(snapshot(acknowledged: 999_999, of: 1_000_000), now: start)
        #expect(progress.percent == 99)
    }

    @Test func `an empty job is done and divides by nothing`() {
        var progress = BackfillProgress(pipeline: "orders", job: "october")
        progress.record(snapshot(acknowledged: 0, of: 0), now: start)
        #expect(progress.percent == 100)
        #expect(progress.secondsLeft == nil)
    }

    @Test func `a line for machines is one JSON object`() {
        var progress = BackfillProgress(pipeline: "orders", job: "october")
        progress.record(snapshot(acknowledged: 10, of: 40), now: start)
        #expect(
            progress.json == """
                {"event":"backfill.progress","pipeline":"orders","job":"october","bytes_acked":10,\
                "bytes_total":40,"records_sent":12345,"records_dropped":0,"failed":0,"rate_bytes":0,\
                "eta_s":null,"limit":"disk"}

                """
        )
    }

    @Test func `the bar fits the terminal`() {
        var progress = BackfillProgress(pipeline: "orders", job: "october")
        progress.record(snapshot(acknowledged: 10, of: 40), now: start)
        let bar = progress.bar(width: 80, color: false)
        #expect(bar.count == 3)
        #expect(bar[0].count <= 80)
        #expect(bar[0].contains("25 %"))
        #expect(bar[1].contains("sent 12 345"))
    }
}

struct QuantityTests {
    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (12_884_901_888, "12.0 GiB"),
        (431_000_000, "411 MiB"),
    ])
    func `bytes have three digits and a unit`(count: Int64, text: String) {
        #expect(Quantity.bytes(count) == text)
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1 000"), (-1_234_567, "-1 234 567")])
    func `large numbers come in groups of three`(count: Int64, text: String) {
        #expect(Quantity.grouped(count) == text)
    }

    @Test(arguments: [(7, "0:07"), (67, "1:07"), (3_661, "1:01:01")])
    func `times read like a clock`(seconds: Int64, text: String) {
        #expect(Quantity.clock(seconds: seconds) == text)
    }
}

struct ErrorAllowanceTests {
    @Test func `a count and a share are understood`() {
        #expect(ErrorAllowance(text: "10") == .count(10))
        #expect(ErrorAllowance(text: "1.5%") == .percent(1.5))
    }

    @Test(arguments: ["", "-1", "101%", "x", "%"])
    func `anything else is refused`(text: String) {
        #expect(ErrorAllowance(text: text) == nil)
    }

    @Test func `a share is of what was read`() {
        let one = ErrorAllowance.percent(1)
        #expect(one.accepts(failed: 1, of: 100))
        #expect(!one.accepts(failed: 2, of: 100))
    }
}

struct LedgerTests {
    @Test func `the books of two lanes add up`() {
        var first = Ledger()
        first.read = 5
        first.sent = 3
        first.dropped = ["test orders": 2]
        first.topics = ["a": 3]
        var second = Ledger()
        second.read = 4
        second.sent = 2
        second.dropped = ["test orders": 1]
        second.failures = [.init(kind: "parse", fate: .deadLettered, summary: "x"): 1]
        second.topics = ["a": 1, "b": 1]
        first.add(second)
        #expect(first.read == first.sent + first.droppedCount + first.failedCount)
        #expect(first.topics == ["a": 4, "b": 1])
    }

    @Test func `the summary balances what was read`() {
        var ledger = Ledger()
        ledger.read = 1204
        ledger.sent = 1200
        ledger.dropped = ["noise": 3]
        ledger.failures = [.init(kind: "parse", fate: .deadLettered, summary: "not JSON"): 1]
        ledger.topics = ["logs": 1200, "logs.dead": 1]
        let summary = BackfillSummary(pipeline: "p", job: "j", ledger: ledger, seconds: 48)
        #expect(
            summary.text(interrupted: false) == """
                done in 0:48 · 1 204 records read = 1 200 sent + 3 dropped + 1 dead-lettered
                  dropped   "noise" 3
                  failed    not JSON  1
                  topics    logs 1 200 · logs.dead 1

                """
        )
        #expect(summary.isWithin(.count(1)))
        #expect(!summary.isWithin(.count(0)))
    }
}

struct BackfillSummaryTests {
    private func summary(_ ledger: Ledger, finishedBefore: Int? = nil) -> BackfillSummary {
        BackfillSummary(
            pipeline: "p",
            job: "october",
            ledger: ledger,
            seconds: 1,
            finishedBefore: finishedBefore
        )
    }

    @Test func `a job that was finished before says so, and how to run it anew`() {
        let summary = summary(Ledger(), finishedBefore: 3)
        #expect(
            summary.text(interrupted: false) == """
                job "october" was finished before: all its 3 files are shipped, nothing was left to do
                  to ship again: --restart, or another name with --job

                """
        )
        #expect(summary.json.contains(#""finished_before":true"#))
    }

    @Test func `what a finished job has found after all is counted`() {
        var ledger = Ledger()
        ledger.read = 1
        ledger.sent = 1
        let text = summary(ledger, finishedBefore: 1).text(interrupted: false)
        #expect(text == "done in 0:01 · 1 records read = 1 sent\n")
    }

    @Test func `what Kafka has not acknowledged is not counted as sent`() {
        var ledger = Ledger()
        ledger.read = 12
        ledger.sent = 8
        ledger.dropped = ["noise": 1]
        ledger.failures = [.init(kind: "parse", fate: .deadLettered, summary: "x"): 3]
        ledger.unacknowledged = 5
        #expect(
            summary(ledger).text(interrupted: true).hasPrefix(
                "stopped after 0:01 · 12 records read = "
                    + "3 sent + 1 dropped + 3 dead-lettered + 5 unacknowledged\n"
            )
        )
        ledger.unacknowledged = 10
        #expect(ledger.acknowledgedSent == 0)
        #expect(ledger.acknowledgedDeadLetters == 1)
        #expect(ledger.acknowledgedFailures == 1)
    }

    @Test func `an empty file that is read for the first time is no repeat`() {
        let text = summary(Ledger()).text(interrupted: false)
        #expect(text == "done in 0:01 · 0 records read = 0 sent\n")
    }
}

struct LogLineTests {
    @Test func `a log line is valid JSON whatever stands in it`() {
        let line = LogLine(
            timestamp: "2026-11-24T10:00:00.000Z",
            level: .warning,
            message: "a \"quoted\" path\n",
            metadata: ["file": "/a\\b\u{1}"]
        )
        #expect(
            line.rendered(as: .json) == #"""
                {"ts":"2026-11-24T10:00:00.000Z","level":"warning","msg":"a \"quoted\" path\n","file":"/a\\b\u0001"}
                """#
        )
    }

    @Test(arguments: [
        ("a\nb", #"file=a\nb"#, #""file":"a\nb""#),
        ("a\u{1B}[2J b", #"file="a\u{1b}[2J b""#, #""file":"a\u001b[2J b""#),
        ("a\r\n\u{9B}\u{202E}b", #"file=a\r\n\u{9b}\u{202e}b"#, #""file":"a\r\n\u009b\u202eb""#),
        ("ä 好.log", #"file="ä 好.log""#, #""file":"ä 好.log""#),
    ])
    func `no name of a file controls a terminal`(name: String, text: String, json: String) {
        let line = LogLine(
            timestamp: "t",
            level: .info,
            message: "m",
            metadata: ["file": "\(name)"]
        )
        #expect(line.rendered(as: .text) == "t info m \(text)")
        #expect(line.rendered(as: .json).hasSuffix("\(json)}"))
    }

    @Test func `no name in an error controls a terminal`() {
        let error = ServiceError(.noInput, "a\u{1B}b\n cannot be opened", details: "\n  why\n")
        #expect(error.description == "a\\u{1b}b\\n cannot be opened\n  why\n")
    }

    @Test func `text quotes a value only where it must`() {
        let line = LogLine(
            timestamp: "t",
            level: .info,
            message: "started",
            metadata: ["b": "two words", "a": "one"]
        )
        #expect(line.rendered(as: .text) == #"t info started a=one b="two words""#)
    }
}
