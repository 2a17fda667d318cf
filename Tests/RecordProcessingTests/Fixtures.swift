import PipelineLanguage
import Testing

@testable import RecordProcessing

/// A pipeline that runs over lines given as text, and what came of them as text.
final class Bench {
    let processor: RecordProcessor
    var file = FileContext(path: "/var/log/app/a.log", inode: 7, modified: 0, header: nil)
    /// Where each line stands; nil counts them.
    var position: RecordPosition?
    private var line: Int64 = 0
    /// The last line; what is staged points into it.
    private var event = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)

    init(
        _ pipeline: String,
        environment: [String: String] = [:],
        secrets: [String: SecretBytes] = [:],
        destination: Destination? = nil
    ) throws {
        let source = SourceText(path: "fixture.pipeline", text: pipeline)
        var context = PipelineContext()
        context.clusters = nil
        context.secrets = Set(secrets.keys)
        let (plan, diagnostics) = PipelineCompiler.compile(source, in: context)
        let text = DiagnosticRenderer(source: source).text(diagnostics)
        let program = try Program(
            plan: try #require(plan, "\(text)"),
            host: "web-1",
            environment: environment,
            secrets: secrets,
            destination: destination
        )
        processor = RecordProcessor(program: program)
    }

    /// A pipeline that sends one expression as the value.
    static func value(
        _ expression: String,
        glob: String = "*.log",
        parse: String = "parse json",
        from: String = "",
        policy: String = "on error dead_letter \"dead\"",
        secrets: [String: SecretBytes] = [:]
    ) throws -> Bench {
        try Bench(
            """
            from "\(glob)" \(from)
            \(parse)
            send {
              topic = "t"
              value = \(expression)
            }
            \(policy)
            """,
            secrets: secrets
        )
    }

    /// What a line ends as: a value, `drop: …`, `dead: …`, `skip: …`, `stop: …` or `consumed`.
    func run(_ text: String) -> String { run(Array(text.utf8)) }

    func run(_ bytes: [UInt8]) -> String {
        line += 1
        event.deallocate()
        event = .allocate(byteCount: max(1, bytes.count), alignment: 1)
        event.copyBytes(from: bytes)
        let text = UnsafeRawBufferPointer(rebasing: event[..<bytes.count])
        let position =
            position ?? RecordPosition(line: line, offset: line * 100, readTime: 1_000)
        return shown(processor.process(text, in: &file, at: position))
    }

    /// What comes of the last line when Kafka refuses it.
    func refuse(_ message: String) -> String {
        let position = RecordPosition(line: line, offset: line * 100, readTime: 1_000)
        let text = UnsafeRawBufferPointer(event)
        return shown(
            processor.fail(text, in: &file, at: position, kind: .kafka, message: message)
        )
    }

    private func shown(_ fate: Fate) -> String {
        switch fate {
        case .sent: return processor.staged.map(payload).joined(separator: " | ")
        case .dropped(let reason): return "drop: \(processor.program.dropReasons[reason])"
        case .consumed: return "consumed"
        case .deadLettered(let failure): return "dead: \(failure.message)"
        case .skipped(let failure): return "skip: \(failure.message)"
        case .stopped(let failure): return "stop: \(failure.message)"
        }
    }

    deinit {
        event.deallocate()
    }

    private func payload(_ record: StagedRecord) -> String {
        record.value.map { String(decoding: $0, as: UTF8.self) } ?? "(tombstone)"
    }
}
