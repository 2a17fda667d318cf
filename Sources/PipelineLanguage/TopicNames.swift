/// The topic names that an expression can make, as far as that is known.
package struct TopicNames: Sendable {
    static let lengthLimit = 249  // Kafka's Topic.MAX_NAME_LENGTH
    private static let countLimit = 256

    /// All names, when there are finitely many; nil when they depend on the data.
    package let all: [String]?
    /// The name with `*` for what depends on the data: `logs.*`.
    package let pattern: String
    /// What Kafka would refuse about them.
    let problem: String?

    package init(_ topic: Expression) {
        all = Self.texts(of: topic)
        pattern = Self.pattern(of: topic)
        problem = Self.problem(names: all, fixed: Self.fixedTexts(of: topic))
    }

    private static func texts(of expression: Expression) -> [String]? {
        if case .literal(.string(let text)) = expression.kind { return [text] }
        if case .interpolation(let segments) = expression.kind { return product(of: segments) }
        return expression.type.isOptional ? nil : expression.type.enumeration
    }

    private static func product(of segments: [TextSegment]) -> [String]? {
        var names = [""]
        for segment in segments {
            let ends: [String]
            switch segment {
            case .text(let text): ends = [text]
            case .expression(let inner):
                guard let texts = texts(of: inner) else { return nil }
                ends = texts
            }
            guard names.count * ends.count <= countLimit else { return nil }
            names = names.flatMap { name in ends.map { name + $0 } }
        }
        return names
    }

    private static func pattern(of expression: Expression) -> String {
        switch expression.kind {
        case .literal(.string(let text)): text
        case .interpolation(let segments):
            segments.map { if case .text(let text) = $0 { text } else { "*" } }.joined()
        default: "*"
        }
    }

    private static func fixedTexts(of expression: Expression) -> [String] {
        guard case .interpolation(let segments) = expression.kind else { return [] }
        return segments.compactMap { if case .text(let text) = $0 { text } else { nil } }
    }

    private static func problem(names: [String]?, fixed: [String]) -> String? {
        for text in fixed + (names ?? []) {
            guard let bad = text.unicodeScalars.first(where: { !isAllowed($0) }) else { continue }
            return "a topic name cannot have `\(bad)` in it"
        }
        for name in names ?? [] {
            if name.isEmpty { return "a topic name cannot be empty" }
            if name == "." || name == ".." { return "a topic cannot be named `\(name)`" }
            if name.utf8.count > lengthLimit { return "this topic name is longer than 249" }
        }
        return nil
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
        default: false
        }
    }
}

extension Plan {
    /// The topics of every `send`, in the order of the file, each once.
    package var topics: [TopicNames] {
        var seen: Set<String> = []
        return steps.flatMap(\.sends).map { TopicNames($0.topic) }.filter { topic in
            seen.insert(topic.all?.joined(separator: ",") ?? topic.pattern).inserted
        }
    }
}

/// A topic as a pipeline names it, and where.
package struct TopicUse: Sendable {
    package let names: TopicNames
    package let span: Span
    /// The number that stands for the partition, and where, if one does.
    package let partition: (number: Int64, span: Span)?
    /// Whether it is the `on error` of the defaults that names it.
    package let isInherited: Bool
    package let destination: Destination
    /// Whether it is `on error` that names it: what a cluster refuses is answered there.
    package let isAnswer: Bool

    /// - Parameter place: That of what is inherited, for the topic stands in no text of the pipeline.
    fileprivate init(
        _ topic: Expression,
        partition: Expression? = nil,
        at destination: Destination = .own,
        isAnswer: Bool,
        inheritedAt place: Span?
    ) {
        names = TopicNames(topic)
        self.destination = destination
        self.isAnswer = isAnswer
        span = place ?? topic.span
        isInherited = place != nil
        self.partition = partition.flatMap { partition in
            Self.number(partition).map { ($0, place ?? partition.span) }
        }
    }

    private static func number(_ expression: Expression) -> Int64? {
        switch expression.kind {
        case .literal(.int(let number)): number
        case .unary(.negate, let inner): number(inner).map { 0 &- $0 }
        default: nil
        }
    }
}

extension Plan {
    /// The topic of each `send`, and those of `on error`.
    package var topicUses: [TopicUse] {
        let own = Self.uses(in: steps)
        let place = errorPolicySpan == nil ? input.globs.first?.span ?? input.span : nil
        switch errorPolicy {
        case .deadLetter(let topic):
            return own + [TopicUse(topic, isAnswer: true, inheritedAt: place)]
        case .steps(let steps):
            return own + Self.uses(in: steps, isAnswer: true, inheritedAt: place)
        case .stop, .skip: return own
        }
    }

    /// Those that a cluster may get: also of dead letters of what it refuses.
    package func topicUses(at destination: Destination) -> [TopicUse] {
        let uses = topicUses
        guard uses.contains(where: { $0.destination == destination }) else { return [] }
        return uses.filter { $0.destination == destination || $0.isAnswer }
    }

    private static func uses(
        in steps: [Step],
        isAnswer: Bool = false,
        inheritedAt place: Span? = nil
    ) -> [TopicUse] {
        steps.flatMap(\.sends).map { send in
            TopicUse(
                send.topic,
                partition: send.partition,
                at: send.destination,
                isAnswer: isAnswer,
                inheritedAt: place
            )
        }
    }
}

extension Step {
    /// The `send`s of this step and of the steps inside it.
    package var sends: [Send] {
        switch kind {
        case .send(let send): [send]
        case .if(let branches, let otherwise):
            branches.flatMap { $0.steps.flatMap(\.sends) } + otherwise.flatMap(\.sends)
        default: []
        }
    }
}
