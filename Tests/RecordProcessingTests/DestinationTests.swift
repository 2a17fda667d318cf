import PipelineLanguage
import Testing

@testable import RecordProcessing

/// What one of several clusters gets of a line.
struct DestinationTests {
    private static let elsewhere = "drop: sent to another cluster"

    private func outcomes(
        _ pipeline: String,
        of lines: [String],
        at destination: Destination?
    ) throws -> [String] {
        let bench = try Bench(pipeline, destination: destination)
        return lines.map { bench.run($0) }
    }

    private static let both = """
        from "*.log"
        parse json
        drop "asked for" if a == 0
        send { topic = "t"  value = json({here: a}) }
        if a > 5 {
          send to archive { topic = "t"  value = json({there: 10 / (a - 7)}) }
        }
        on error dead_letter "dead"
        """
    private static let lines = [#"{"a":0}"#, #"{"a":1}"#, #"{"a":9}"#, #"{"a":7}"#]

    @Test func `without a cluster all records are made`() throws {
        let found = try outcomes(Self.both, of: Self.lines, at: nil)
        let all = #"{"here":9} | {"there":5}"#
        #expect(
            found == ["drop: asked for", #"{"here":1}"#, all, "dead: 10 / 0 cannot be computed"]
        )
    }

    @Test func `a cluster gets its own, and nothing of a line of which another's fails`() throws {
        #expect(
            try outcomes(Self.both, of: Self.lines, at: .own) == [
                "drop: asked for", #"{"here":1}"#, #"{"here":9}"#,
                "dead: 10 / 0 cannot be computed",
            ]
        )
        #expect(
            try outcomes(Self.both, of: Self.lines, at: .other("archive")) == [
                "drop: asked for", Self.elsewhere, #"{"there":5}"#, Self.elsewhere,
            ]
        )
    }

    @Test func `what a cluster refuses is answered there, by whatever on error sends`() throws {
        for policy in [
            "on error dead_letter \"dead\"",
            "on error { send to third { topic = \"dead\"  value = @raw } }",
        ] {
            let pipeline = Self.both.replacing("on error dead_letter \"dead\"", with: policy)
            let bench = try Bench(pipeline, destination: .other("archive"))
            #expect(bench.run(Self.lines[2]) == #"{"there":5}"#)
            #expect(bench.refuse("too large") == "dead: too large")
            #expect(bench.processor.staged.map(\.topicName) == ["dead"])
            #expect(bench.run(Self.lines[3]) == Self.elsewhere)
        }
    }

    @Test(arguments: [
        ("on error skip", ["skip: 10 / 0 cannot be computed", "skip: 10 / 0 cannot be computed"]),
        ("on error stop", ["stop: 10 / 0 cannot be computed", "stop: 10 / 0 cannot be computed"]),
        (
            "on error { send to archive { topic = \"d\"  value = @error.message } }",
            [elsewhere, "dead: 10 / 0 cannot be computed"]
        ),
        (
            "on error { drop \"bad\" }",
            ["skip: 10 / 0 cannot be computed", "skip: 10 / 0 cannot be computed"]
        ),
    ])
    func `a line that fails ends in each cluster as on error says`(
        policy: String,
        found: [String]
    ) throws {
        let pipeline = Self.both.replacing("on error dead_letter \"dead\"", with: policy)
        let each = try [Destination.own, .other("archive")].map { destination in
            try outcomes(pipeline, of: [Self.lines[3]], at: destination)[0]
        }
        #expect(each == found)
    }
}
