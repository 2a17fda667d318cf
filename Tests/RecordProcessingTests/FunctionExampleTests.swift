import PipelineLanguage
import Testing

@testable import RecordProcessing

/// Runs the examples of the catalogue through the real compiler and evaluator.
struct FunctionExampleTests {
    @Test(arguments: Function.allCases)
    func `each example of a function comes to what the catalogue says`(function: Function) throws {
        let examples = function.signature.examples
        #expect(!examples.isEmpty)
        for example in examples {
            let found = try outcome(of: example.expression, asBytes: isBytes(example, function))
            #expect(found == example.outcome, "\(example.expression)")
        }
    }

    @Test(arguments: Function.allCases)
    func `a signature says what it is for in lower case, and takes labels last`(
        function: Function
    ) {
        let signature = function.signature
        #expect(
            signature.summary.first?.isUppercase == false || signature.summary.hasPrefix("SHA")
                || signature.summary.hasPrefix("HMAC")
        )
        #expect(!signature.summary.hasSuffix("."))
        let labels = signature.parameters.drop { !$0.isLabelled }
        let isInOrder = labels.allSatisfy(\.isLabelled)
        #expect(isInOrder)
    }

    private func isBytes(_ example: FunctionSignature.Example, _ function: Function) -> Bool {
        function.signature.result == .bytes && example.expression.hasPrefix(function.rawValue + "(")
    }

    private func outcome(
        of expression: String,
        asBytes: Bool
    ) throws -> FunctionSignature.Example.Outcome {
        let bench = try Bench.value(
            asBytes ? expression : "json(\(expression))",
            glob: ExampleSurroundings.glob,
            parse: "parse text {\n line: string\n}",
            secrets: [
                ExampleSurroundings.secretName: SecretBytes(Array(ExampleSurroundings.secret.utf8))
            ]
        )
        bench.file.path = ExampleSurroundings.path
        bench.position = RecordPosition(
            line: 1,
            offset: ExampleSurroundings.offset,
            readTime: ExampleSurroundings.readTime
        )
        let result = bench.run("a line")
        guard result.hasPrefix("dead: ") else { return .value(result) }
        return .failure(String(result.dropFirst(6)))
    }
}
