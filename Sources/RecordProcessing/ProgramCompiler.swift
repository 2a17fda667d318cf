import PipelineLanguage

/// Turns a plan into instructions.
struct ProgramCompiler {
    let plan: Plan
    let environment: [String: String]
    let secrets: [String: SecretBytes]
    let constants: ConstantPool
    /// Where the places are kept that tests should reach; nil where nobody measures.
    let coverage: CoverageMap?
    /// The cluster that gets the records; nil for all clusters.
    let destination: Destination?
    private(set) var dropReasons: [String] = []

    init(
        plan: Plan,
        environment: [String: String],
        secrets: [String: SecretBytes] = [:],
        constants: ConstantPool,
        coverage: CoverageMap? = nil,
        destination: Destination? = nil
    ) {
        self.plan = plan
        self.environment = environment
        self.secrets = secrets
        self.constants = constants
        self.coverage = coverage
        self.destination = destination
    }

    func error(_ message: String, at span: Span) -> ProgramError {
        let place = plan.source.location(of: span.start)
        return ProgramError(
            description: "\(plan.source.path):\(place.line):\(place.column): \(message)"
        )
    }

    func regex(_ pattern: String, at span: Span) throws(ProgramError) -> Regex {
        do {
            return try Regex(pattern)
        } catch {
            throw self.error("this regular expression cannot be used: \(error)", at: span)
        }
    }

    // MARK: Columns

    func column(_ column: Column) throws(ProgramError) -> CompiledColumn {
        CompiledColumn(
            name: constants.text(column.name),
            isOptional: column.type.isOptional,
            conversion: try conversion(column),
            label: column.name
        )
    }

    private func conversion(_ column: Column) throws(ProgramError) -> CompiledColumn.Conversion {
        switch column.type.kind {
        case .string: return .string
        case .bytes: return .bytes
        case .int: return .int
        case .decimal: return .decimal
        case .float: return .float
        case .bool: return .bool
        case .duration: return .duration
        case .object: return .object
        case .list(let element):
            var inner = column
            inner.name += "[]"
            inner.type = element
            return .list(of: try self.column(inner))
        case .any, .null: return .any
        case .enumeration(let values):
            let list = values.map { "\"\($0)\"" }.joined(separator: ", ")
            return .enumeration(values.map(constants.text), list: list)
        case .time:
            guard let format = column.time else {
                preconditionFailure("the checker let a time without a format pass")
            }
            return .time(try reader(format, format.span))
        }
    }

    private func pattern(_ text: String, _ span: Span) throws(ProgramError) -> TimePattern {
        do {
            return try TimePattern(text)
        } catch {
            throw self.error("the time format cannot be used: \(error)", at: span)
        }
    }

    func reader(_ format: TimeFormat, _ span: Span) throws(ProgramError) -> TimeReader {
        var zone: TimeZoneRules?
        if let name = format.zone {
            do {
                zone = try TimeZoneRules(named: name)
            } catch {
                throw self.error("the time zone \"\(name)\" is not known here: \(error)", at: span)
            }
        }
        switch format.notation {
        case .iso8601: return TimeReader(notation: .iso8601, zone: zone, label: "ISO 8601")
        case .unix: return TimeReader(notation: .unix, zone: zone, label: "unix")
        case .unixMilliseconds:
            return TimeReader(notation: .unixMilliseconds, zone: zone, label: "unix_ms")
        case .unixMicroseconds:
            return TimeReader(notation: .unixMicroseconds, zone: zone, label: "unix_us")
        case .unixNanoseconds:
            return TimeReader(notation: .unixNanoseconds, zone: zone, label: "unix_ns")
        case .pattern(let text):
            let pattern = try pattern(text, span)
            return TimeReader(notation: .pattern(pattern), zone: zone, label: "'\(text)'")
        case .syslog(let year):
            let texts = ["%b %e %H:%M:%S", "%b %e %H:%M:%S.%f"]
            let patterns = try texts.map { text throws(ProgramError) in try pattern(text, span) }
            let notation = TimeReader.Notation.syslog(patterns, year: year)
            return TimeReader(notation: notation, zone: zone, label: "in syslog of \(year)")
        }
    }

    // MARK: Steps

    mutating func code(_ steps: [Step]) throws(ProgramError) -> Code {
        var code = Code()
        try append(steps, to: &code)
        return code
    }

    mutating func errorCode(_ policy: ErrorPolicy) throws(ProgramError) -> ErrorCode {
        switch policy {
        case .deadLetter(let topic):
            .deadLetter(try node(topic), isElsewhere: isElsewhere(.own))
        case .stop: .stop
        case .skip: .skip
        case .steps(let steps): .steps(try code(steps))
        }
    }

    private mutating func append(_ steps: [Step], to code: inout Code) throws(ProgramError) {
        for step in steps {
            switch step.kind {
            case .let(let local, let value):
                code.instructions.append(.local(local, try node(value)))
            case .set(let path, let value):
                code.instructions.append(.set(compiled(path), try node(value)))
            case .remove(let paths):
                for path in paths { code.instructions.append(.remove(compiled(path))) }
            case .rename(let path, let target):
                code.instructions.append(.rename(compiled(path), to: compiled(target)))
            case .keep(let paths): code.instructions.append(.keep(compiledKeep(paths)))
            case .drop(let reason, let condition):
                let reason = reasonIndex(reason)
                try append(.drop, step, condition, to: &code) {
                    .drop(reason: reason, condition: $0)
                }
            case .reject(let reason, let condition):
                try append(.reject, step, condition, to: &code) {
                    .reject(reason: reason, condition: $0)
                }
            case .if(let branches, let otherwise): try append(branches, otherwise, to: &code)
            case .send(let send):
                code.instructions.append(.send(try compiled(send)))
                code.append(mark(.send, step.span, showing: send.topic.span))
            }
        }
    }

    /// Appends a step that ends the record, if its condition holds.
    private func append(
        _ kind: CoveragePoint.Kind,
        _ step: Step,
        _ condition: Expression?,
        to code: inout Code,
        _ make: (Node?) -> Instruction
    ) throws(ProgramError) {
        let condition = try optional(condition)
        guard let mark = mark(kind, step.span) else {
            code.instructions.append(make(condition))
            return
        }
        if let condition {
            code.instructions.append(.branch(condition, otherwise: code.instructions.count + 3))
        }
        code.instructions += [mark, make(nil)]
    }

    private mutating func append(
        _ branches: [Branch],
        _ otherwise: [Step],
        to code: inout Code
    ) throws(ProgramError) {
        var ends: [Int] = []
        for branch in branches {
            let condition = try node(branch.condition)
            let start = code.instructions.count
            code.instructions.append(.jump(0))
            code.append(mark(.branch, branch.condition.span))
            try append(branch.steps, to: &code)
            ends.append(code.instructions.count)
            code.instructions.append(.jump(0))
            code.instructions[start] = .branch(condition, otherwise: code.instructions.count)
        }
        code.append(markOtherwise(otherwise))
        try append(otherwise, to: &code)
        for end in ends { code.instructions[end] = .jump(code.instructions.count) }
    }

    private func isElsewhere(_ destination: Destination) -> Bool {
        self.destination.map { $0 != destination } ?? false
    }

    /// The reason for lines of which this cluster gets nothing; nil if it gets what is made of any.
    mutating func elsewhereReason() -> Int? {
        guard plan.destinations.contains(where: isElsewhere) else { return nil }
        return reasonIndex("sent to another cluster")
    }

    private mutating func reasonIndex(_ reason: String) -> Int {
        if let index = dropReasons.firstIndex(of: reason) { return index }
        dropReasons.append(reason)
        return dropReasons.count - 1
    }

    private func compiled(_ path: FieldPath) -> CompiledPath {
        CompiledPath(slot: path.slot, members: path.members.map(constants.text))
    }

    private func compiledKeep(_ paths: [FieldPath]) -> CompiledKeep {
        var isKept = Array(repeating: false, count: plan.fieldNames.count)
        var parts: [(slot: Int, members: [[Text]])] = []
        for path in paths where !isKept[path.slot] {
            isKept[path.slot] = true
            let members = paths.filter { $0.slot == path.slot }.map(\.members)
            guard !members.contains([]) else { continue }
            parts.append((path.slot, members.map { $0.map(constants.text) }))
        }
        return CompiledKeep(isKept: isKept, parts: parts)
    }

    private func compiled(_ send: Send) throws(ProgramError) -> CompiledSend {
        var headers: [(name: Text, value: Node)] = []
        for header in send.headers {
            headers.append((constants.text(header.name), try node(header.value)))
        }
        return CompiledSend(
            topic: try node(send.topic),
            key: try optional(send.key),
            value: try payload(send.value),
            timestamp: try optional(send.timestamp),
            partition: try optional(send.partition),
            headers: headers,
            cluster: send.destination.name.map(constants.text),
            isElsewhere: isElsewhere(send.destination)
        )
    }

    /// A value that is sent as it is: an object as JSON.
    private func payload(_ expression: Expression) throws(ProgramError) -> Node {
        let node = try node(expression)
        if case .allFields(let paths) = node { return .allFieldsText(except: paths) }
        return node
    }

    // MARK: Expressions

    private func optional(_ expression: Expression?) throws(ProgramError) -> Node? {
        guard let expression else { return nil }
        return try node(expression)
    }

    private func nodes(_ expressions: [Expression]) throws(ProgramError) -> [Node] {
        var nodes: [Node] = []
        for expression in expressions { nodes.append(try node(expression)) }
        return nodes
    }

    func node(_ expression: Expression) throws(ProgramError) -> Node {
        switch expression.kind {
        case .literal(let literal): return .constant(constant(literal))
        case .field(let path):
            return .field(slot: path.slot, members: path.members.map(constants.text))
        case .local(let index): return .local(index)
        case .allFields(let paths): return .allFields(except: paths.map(compiled))
        case .meta(let meta): return try self.meta(meta, expression.span)
        case .member(let base, let name): return .member(try node(base), constants.text(name))
        case .index(let base, let index): return .index(try node(base), try node(index))
        case .except(let base, let paths):
            return .except(try node(base), paths.map { $0.map(constants.text) })
        case .unary(.negate, let operand): return .negate(try node(operand))
        case .unary(.not, let operand): return .not(try node(operand))
        case .binary(let sign, let left, let right):
            return .binary(sign, try node(left), try node(right))
        case .coalesce(let value, let fallback): return try coalesce(value, fallback)
        case .regexMatch(let text, let pattern, let negated):
            let regex = try regex(pattern.text, at: pattern.span)
            return .matches(try node(text), regex, negated: negated)
        case .call(let function, let arguments): return try call(function, arguments)
        case .list(let elements): return .list(try nodes(elements))
        case .object(let members):
            var compiled: [(name: Text, value: Node)] = []
            for member in members {
                compiled.append((constants.text(member.name), try node(member.value)))
            }
            return .object(compiled)
        case .interpolation(let segments): return .interpolation(try self.segments(segments))
        case .match(let match): return try self.match(match)
        }
    }

    private func constant(_ literal: Literal) -> ConstantValue {
        switch literal {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .int(let number): return .int(number)
        case .decimal(let digits): return .decimal(constants.text(digits))
        case .string(let text): return .string(constants.text(text))
        case .duration(let duration):
            let (seconds, attoseconds) = duration.components
            let nanoseconds = attoseconds / 1_000_000_000
            return .duration(seconds &* 1_000_000_000 &+ nanoseconds)
        }
    }

    private func meta(_ meta: Meta, _ span: Span) throws(ProgramError) -> Node {
        guard case .environment(let name) = meta else { return .meta(meta) }
        guard let value = environment[name] else {
            throw error(
                "the environment variable \(name) is not set; set it, or give a fallback"
                    + " with `??`",
                at: span
            )
        }
        return .constant(.string(constants.text(value)))
    }

    private func coalesce(_ value: Expression, _ fallback: Expression) throws(ProgramError) -> Node
    {
        if case .meta(.environment(let name)) = value.kind, environment[name] == nil {
            return try node(fallback)
        }
        return .coalesce(try node(value), try node(fallback))
    }

    private func segments(_ segments: [TextSegment]) throws(ProgramError) -> [Node] {
        var nodes: [Node] = []
        for segment in segments {
            switch segment {
            case .text(let text): nodes.append(.constant(.string(constants.text(text))))
            case .expression(let expression): nodes.append(try node(expression))
            }
        }
        return nodes
    }

    private func match(_ match: Match) throws(ProgramError) -> Node {
        var arms: [(patterns: [Node], result: Node)] = []
        for arm in match.arms {
            arms.append((try nodes(arm.patterns), marked(try node(arm.result), arm)))
        }
        let otherwise = try match.otherwise.map { otherwise throws(ProgramError) in
            marked(try node(otherwise), otherwise: otherwise)
        }
        return .match(subject: try optional(match.subject), arms: arms, otherwise: otherwise)
    }
}
