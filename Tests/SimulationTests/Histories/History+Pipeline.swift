import PipelineLanguage

@testable import Shipping

extension History {
    static func pipeline(glob: String, _ sends: Sends) throws -> LoadedPipeline {
        let text = """
            from "\(glob)"
            parse text
            \(steps(sends))
            on error stop
            """
        let source = SourceText(path: "history.pipeline", text: text)
        let (plan, diagnostics) = PipelineCompiler.compile(source)
        guard let plan else { throw Failure(description: "\(diagnostics)") }
        return try LoadedPipeline(plan: plan)
    }

    static func steps(_ sends: Sends) -> String {
        let one = #"send { topic = "t" key = null partition = 0 value = @raw }"#
        let keyed = #"send { topic = "t" key = @raw value = @raw }"#
        let sticky = #"send { topic = "t" key = null value = @raw }"#
        let other = #"send { topic = "u" key = null value = @raw }"#
        return switch sends {
        case .one: one
        case .keyed: keyed
        case .sticky: sticky
        case .both: keyed + "\n" + other
        }
    }
}
