internal import Kafka
internal import KafkaProtocol
internal import PipelineLanguage

/// What pipelines need, held against what a cluster says.
struct ClusterCheck {
    let destination: Destination
    let standing: ClusterStanding
    let mode: DeliveryMode
    /// Whether sending asks brokers to make a topic that is not there.
    let mayCreateTopics: Bool
    /// Nil where none was asked for.
    let transactionalID: String?

    /// What the cluster lacks for a pipeline, at the topics that it names.
    func diagnostics(of plan: Plan) -> [Diagnostic] {
        var found: [Diagnostic] = []
        for use in plan.topicUses(at: destination) {
            guard let names = use.names.all else {
                if use.destination == destination { found.append(unasked(use)) }
                continue
            }
            let topics = names.compactMap { standing.topics[$0] }
            let topicsThere = topics.filter { $0.error == .none }
            found += [
                refused(topics.filter { $0.error == .invalidTopicException }, use),
                absent(topics.filter { $0.error == .unknownTopicOrPartition }, use),
                hidden(topics.filter { $0.error == .topicAuthorizationFailed }, use),
                unwritable(topicsThere.filter { !$0.mayBe(.write) }, use),
                unreadable(topicsThere.filter { $0.mayBe(.write) && !$0.mayBe(.read) }, use),
                withoutPartition(topicsThere, use),
            ].compactMap(\.self)
        }
        return found
    }

    /// What is wrong with the transactional id, which no pipeline names; said of one of them.
    func diagnosticOfTransactionalID(at span: Span) -> Diagnostic? {
        guard let transactionalID, standing.allowsTransactionalID == false else { return nil }
        return Diagnostic(
            .noRight,
            "this client may not use the transactional id `\(transactionalID)`",
            at: span,
            label: "all is sent under it (`--delivery transactional`)",
            help: "it needs WRITE on the transactional id, which includes DESCRIBE"
        )
    }

    private func label(_ use: TopicUse, _ text: String?) -> String? {
        guard let cluster = destination.name else { return use.label(text) }
        return use.label(
            text.map { "\($0), in the cluster `\(cluster)`" } ?? "in the cluster `\(cluster)`"
        )
    }

    /// A line for each topic that can be written to, sorted.
    var lines: [String] {
        standing.topics.values.sorted { $0.name < $1.name }.compactMap { topic in
            guard topic.error == .none, topic.mayBe(.write) else { return nil }
            let count = topic.partitionCount
            let partitions = "\(count) partition\(count == 1 ? "" : "s")"
            let name = topic.name + (destination.name.map { " in \($0)" } ?? "")
            guard let rights = topic.rights else {
                return "\(name): \(partitions), rights are not told"
            }
            let reading = rights.contains(.read) ? " and read" : ", not read"
            return "\(name): \(partitions), may be written\(reading)"
        }
    }

    // MARK: What may be wrong

    private func unasked(_ use: TopicUse) -> Diagnostic {
        Diagnostic(
            .unaskedTopic,
            "`\(use.names.pattern)` cannot be looked up in the cluster",
            at: use.span,
            label: label(use, "known only when a record is made"),
            help: "of an `enum` all topics are known"
        )
    }

    private func refused(_ topics: [TopicStanding], _ use: TopicUse) -> Diagnostic? {
        guard let names = Names(topics) else { return nil }
        return Diagnostic(
            .badTopic,
            "the cluster refuses the name \(names)",
            at: use.span,
            label: label(use, nil)
        )
    }

    private func absent(_ topics: [TopicStanding], _ use: TopicUse) -> Diagnostic? {
        guard let names = Names(topics) else { return nil }
        let help =
            mayCreateTopics
            ? "create it, or leave that to the broker, if it makes topics when first sent to"
            : "create it: with `allow.auto.create.topics=false` the broker does not"
        return Diagnostic(
            .absentTopic,
            names.count == 1 ? "there is no topic \(names)" : "there are no topics \(names)",
            at: use.span,
            label: label(use, destination == .own ? "not in the cluster" : "not there"),
            help: help
        )
    }

    private func hidden(_ topics: [TopicStanding], _ use: TopicUse) -> Diagnostic? {
        guard let names = Names(topics) else { return nil }
        return Diagnostic(
            .noRight,
            "this client may not write to \(names), and not even look at it",
            at: use.span,
            label: label(use, "DESCRIBE is missing"),
            help: "it needs WRITE on the topic, which includes DESCRIBE"
        )
    }

    private func unwritable(_ topics: [TopicStanding], _ use: TopicUse) -> Diagnostic? {
        guard let names = Names(topics) else { return nil }
        return Diagnostic(
            .noRight,
            "this client may not write to \(names)",
            at: use.span,
            label: label(use, "WRITE is missing"),
            help: "it needs WRITE on the topic"
        )
    }

    private func unreadable(_ topics: [TopicStanding], _ use: TopicUse) -> Diagnostic? {
        guard mode == .exactlyOnce, let names = Names(topics) else { return nil }
        return Diagnostic(
            .noReadRight,
            "this client may not read \(names)",
            at: use.span,
            label: label(use, "READ is missing"),
            help:
                "without READ, a long downtime after a crash may leave it open what Kafka has:"
                + " then the partition stops"
        )
    }

    private func withoutPartition(_ topics: [TopicStanding], _ use: TopicUse) -> Diagnostic? {
        guard let (number, span) = use.partition else { return nil }
        let short = topics.filter { !(0..<Int64($0.partitionCount)).contains(number) }
        guard let names = Names(short), let fewest = short.map(\.partitionCount).min() else {
            return nil
        }
        return Diagnostic(
            .absentPartition,
            "there is no partition \(number) in \(names)",
            at: span,
            label: label(use, fewest == 1 ? "there is only 0" : "there are 0 to \(fewest - 1)")
        )
    }
}

extension TopicStanding {
    /// What is not told counts as allowed.
    fileprivate func mayBe(_ right: TopicRights) -> Bool {
        rights.map { $0.contains(right) } ?? true
    }
}

extension TopicUse {
    fileprivate func label(_ text: String?) -> String? {
        guard isInherited else { return text }
        let origin = "named by the `on error` of the defaults"
        return text.map { "\(origin): \($0)" } ?? origin
    }
}

/// Topics of one expression, as a message names them.
private struct Names: CustomStringConvertible {
    private static let limit = 5

    let description: String
    let count: Int

    /// Nil for none.
    init?(_ topics: [TopicStanding]) {
        guard !topics.isEmpty else { return nil }
        count = topics.count
        let names = topics.prefix(Self.limit).map { "`\($0.name)`" }.joined(separator: ", ")
        let more = topics.count - Self.limit
        description = more > 0 ? "\(names) and \(more) more" : names
    }
}
