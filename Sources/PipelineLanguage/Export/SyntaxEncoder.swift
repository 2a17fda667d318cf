/// The tree of a pipeline as JSON, in the form that docs/language.md describes.
struct SyntaxEncoder {
    /// Raised when a reader of an older form would misunderstand a newer one.
    static let version: Int64 = 1

    func json(_ file: SyntaxFile, name: String) -> JSONTree {
        .members([
            "version": .integer(Self.version),
            "pipeline": .string(name),
            "from": .array(file.from.map(json)),
            "parse": .array(file.parse.map(json)),
            "steps": .array(file.steps.map(json)),
            "on_error": .array(file.errorPolicies.map(json)),
            "tests": .array(file.tests.map(json)),
        ])
    }

    private func json(_ from: FromSyntax) -> JSONTree {
        .members([
            "globs": .array(from.globs.map { .string($0.text) }),
            "settings": .array(from.settings.map(json)),
        ])
    }

    private func json(_ setting: SettingSyntax) -> JSONTree {
        .members(["name": .string(setting.name.text), "value": json(setting.value)])
    }

    private func json(_ parse: ParseSyntax) -> JSONTree {
        .members([
            "format": .string(parse.format.text),
            "arguments": arguments(parse.arguments),
            "columns": parse.columns.map { .array($0.map(json)) },
        ])
    }

    private func json(_ column: ColumnSyntax) -> JSONTree {
        .members(["name": .string(column.name.text), "type": column.type.map(json)])
    }

    private func json(_ type: TypeSyntax) -> JSONTree {
        let optional: JSONTree? = type.isOptional ? .bool(true) : nil
        if let element = type.element.first {
            return .members(["list_of": json(element), "optional": optional])
        }
        return .members([
            "name": .string(type.name.text),
            "arguments": arguments(type.arguments),
            "optional": optional,
        ])
    }

    private func arguments(_ arguments: [ArgumentSyntax]) -> JSONTree? {
        arguments.isEmpty ? nil : .array(arguments.map(json))
    }

    private func json(_ argument: ArgumentSyntax) -> JSONTree {
        .members(["label": argument.label.map { .string($0.text) }, "value": json(argument.value)])
    }

    // MARK: Steps

    private func json(_ step: StepSyntax) -> JSONTree {
        switch step.kind {
        case .let(let name, let value):
            return .members(["do": "let", "name": .string(name.text), "value": json(value)])
        case .set(let path, let value):
            return .members(["do": "set", "path": json(path), "value": json(value)])
        case .remove(let paths):
            return .members(["do": "remove", "paths": .array(paths.map(json))])
        case .rename(let path, let target):
            return .members(["do": "rename", "path": json(path), "to": json(target)])
        case .keep(let paths):
            return .members(["do": "keep", "paths": .array(paths.map(json))])
        case .include(let path): return .members(["do": "include", "file": .string(path.text)])
        case .drop(let reason, let condition): return end("drop", reason, condition)
        case .reject(let reason, let condition): return end("reject", reason, condition)
        case .if(let branches, let otherwise):
            return .members([
                "do": "if",
                "branches": .array(branches.map(json)),
                "else": otherwise.map { .array($0.map(json)) },
            ])
        case .send(let send):
            return .members(["do": "send", "to": target(of: send), "record": json(send)])
        case .broken: return .members(["do": "nothing"])
        }
    }

    private func target(of record: SendSyntax) -> JSONTree? {
        record.cluster.map { .string($0.text) }
    }

    private func end(_ word: String, _ reason: Name?, _ condition: ExpressionSyntax?) -> JSONTree {
        .members([
            "do": .string(word),
            "reason": reason.map { .string($0.text) },
            "if": condition.map(json),
        ])
    }

    private func json(_ branch: BranchSyntax) -> JSONTree {
        .members(["if": json(branch.condition), "steps": .array(branch.steps.map(json))])
    }

    private func json(_ path: PathSyntax) -> JSONTree {
        .array(path.names.map { .string($0.text) })
    }

    private func json(_ record: SendSyntax) -> JSONTree {
        let lines = record.lines.map { SettingSyntax(name: $0.keyword, value: $0.value) }
        return .members([
            "lines": .array(lines.map(json)),
            "headers": .array(record.headers.map(json)),
            "value_has": record.valueMembers.map(json),
        ])
    }

    // MARK: on error, test

    private func json(_ policy: ErrorPolicySyntax) -> JSONTree {
        switch policy.kind {
        case .deadLetter(let topic): .members(["do": "dead_letter", "topic": json(topic)])
        case .stop: .members(["do": "stop"])
        case .skip: .members(["do": "skip"])
        case .steps(let steps): .members(["do": "steps", "steps": .array(steps.map(json))])
        }
    }

    private func json(_ test: TestSyntax) -> JSONTree {
        let given = test.given.map { SettingSyntax(name: $0.meta, value: $0.value) }
        return .members([
            "name": .string(test.name.text),
            "given": .array(given.map(json)),
            "input": .string(test.input.text),
            "expect": .array(test.expectations.map { json($0.kind) }),
        ])
    }

    private func json(_ expectation: TestSyntax.Expectation.Kind) -> JSONTree {
        switch expectation {
        case .record(let record):
            .members(["outcome": "record", "to": target(of: record), "record": json(record)])
        case .drop(let reason):
            .members(["outcome": "drop", "reason": reason.map { .string($0) }])
        case .deadLetter(let message):
            .members(["outcome": "dead_letter", "message": message.map { .string($0) }])
        case .nothing: .members(["outcome": "nothing"])
        }
    }

    // MARK: Expressions

    func json(_ expression: ExpressionSyntax) -> JSONTree {
        switch expression.kind {
        case .broken: return .members(["broken": .bool(true)])
        case .literal(let literal): return json(literal)
        case .byteCount(let count): return .members(["bytes": .integer(count)])
        case .computed(let segments): return .members(["computed": .array(segments.map(json))])
        case .name(let name): return .members(["field": .string(name)])
        case .allFields: return .members(["all_fields": .bool(true)])
        case .meta(let path): return .members(["meta": .array(path.map { .string($0) })])
        case .list(let elements): return .members(["list": .array(elements.map(json))])
        case .object(let members): return .members(["object": .array(members.map(json))])
        case .match(let subject, let arms, let otherwise):
            return .members([
                "match": .array(arms.map(json)),
                "subject": subject.map(json),
                "else": otherwise.map(json),
            ])
        case .call(let function, let arguments):
            return .members([
                "call": .string(function.text), "arguments": .array(arguments.map(json)),
            ])
        case .member(let base, let name):
            return .members(["member": .string(name.text), "of": json(base)])
        case .index(let base, let position):
            return .members(["index": json(position), "of": json(base)])
        case .except(let base, let paths):
            return .members(["except": .array(paths.map(json)), "of": json(base)])
        case .unary(.not, let inner): return .members(["not": json(inner)])
        case .unary(.negate, let inner): return .members(["negate": json(inner)])
        case .binary(let operation, let left, let right):
            return infix(operation.rawValue, left, right)
        case .coalesce(let left, let right): return infix("??", left, right)
        case .regexMatch(let left, let right, let negated):
            return infix(negated ? "!~" : "=~", left, right)
        }
    }

    private func infix(
        _ sign: String,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax
    ) -> JSONTree {
        .members(["operator": .string(sign), "left": json(left), "right": json(right)])
    }

    private func json(_ literal: Literal) -> JSONTree {
        switch literal {
        case .null: .null
        case .bool(let value): .bool(value)
        case .int(let value): .integer(value)
        case .decimal(let digits): .members(["decimal": .string(digits)])
        case .string(let text): .string(text)
        case .duration(let duration):
            .members(["milliseconds": .integer(duration.wholeMilliseconds)])
        }
    }

    private func json(_ segment: ExpressionSyntax.Segment) -> JSONTree {
        switch segment {
        case .text(let text): .members(["text": .string(text)])
        case .expression(let expression): .members(["value": json(expression)])
        }
    }

    private func json(_ member: ExpressionSyntax.Member) -> JSONTree {
        .members(["name": .string(member.name.text), "value": member.value.map(json)])
    }

    private func json(_ arm: ExpressionSyntax.Arm) -> JSONTree {
        .members(["values": .array(arm.patterns.map(json)), "result": json(arm.result)])
    }
}
