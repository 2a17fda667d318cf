package import PipelineLanguage

/// What a person wants to see of a pipeline: files, steps, topics.
package struct PipelineOutline: Sendable {
    /// The topics of a `send`.
    package struct Topics: Sendable {
        /// All names, or one with `*` for what depends on the data.
        var names: [String]
        var isExact: Bool
        /// The name of a cluster that is not the process's own.
        var cluster: String?

        init(_ topic: Expression, at destination: Destination = .own) {
            cluster = destination.name
            let names = TopicNames(topic)
            self.names = names.all ?? [names.pattern]
            isExact = names.all != nil
        }
    }

    indirect enum Item: Sendable {
        /// A step that changes the record, as written.
        case change(String)
        case drop(reason: String, condition: String?)
        case reject(reason: String, condition: String?)
        case branch([(condition: String, items: [Item])], otherwise: [Item])
        case send(Topics, key: String?)
    }

    enum ErrorPolicy: Sendable {
        case deadLetter(Topics)
        case stop
        case skip
        case steps([Item])
    }

    let name: String
    let path: String
    let globs: [String]
    let excluded: [String]
    let format: String
    let items: [Item]
    let errorPolicy: ErrorPolicy

    package init(plan: Plan) {
        let reader = OutlineReader(source: plan.source)
        name = plan.name
        path = plan.source.path
        globs = plan.input.globs.map(\.pattern)
        excluded = plan.input.excluded.map(\.pattern)
        format = Self.name(of: plan.format)
        items = reader.items(plan.steps)
        errorPolicy =
            switch plan.errorPolicy {
            case .deadLetter(let topic): .deadLetter(Topics(topic))
            case .stop: .stop
            case .skip: .skip
            case .steps(let steps): .steps(reader.items(steps))
            }
    }

    private static func name(of format: Format) -> String {
        switch format {
        case .json: "json"
        case .csv: "csv"
        case .text: "text"
        case .regex: "regex"
        case .logfmt: "logfmt"
        case .known(let known): known.rawValue
        }
    }
}

/// Takes the texts of steps from the file.
private struct OutlineReader {
    let source: SourceText

    func items(_ steps: [Step]) -> [PipelineOutline.Item] { steps.map(item) }

    private func item(_ step: Step) -> PipelineOutline.Item {
        switch step.kind {
        case .drop(let reason, let condition):
            .drop(reason: reason, condition: condition.map { text($0.span) })
        case .reject(let reason, let condition):
            .reject(reason: reason, condition: condition.map { text($0.span) })
        case .if(let branches, let otherwise):
            .branch(
                branches.map { (text($0.condition.span), items($0.steps)) },
                otherwise: items(otherwise)
            )
        case .send(let send):
            .send(
                PipelineOutline.Topics(send.topic, at: send.destination),
                key: send.key.map { text($0.span) }
            )
        default: .change(text(step.span))
        }
    }

    /// A piece of the file on one line.
    private func text(_ span: Span) -> String {
        source.text(in: span).split(whereSeparator: \.isNewline)
            .map { $0.drop { $0 == " " || $0 == "\t" } }
            .joined(separator: " ")
    }
}

extension PipelineOutline.Topics {
    private static let shownLimit = 12

    /// For people: not more names than one can take in.
    var shown: String {
        let first = names.prefix(Self.shownLimit).joined(separator: ", ")
        let rest = names.count - Self.shownLimit
        return first + (rest > 0 ? " and \(rest) more" : "") + (cluster.map { " in \($0)" } ?? "")
    }
}
