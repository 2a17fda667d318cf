internal import PipelineLanguage

/// A cluster that this process sends to, and what goes there.
///
/// Each has its own reading of the files, its own checkpoints and its own journal: what is promised
/// of one holds of each, and none waits for another that is away.
package struct Route: Sendable {
    let destination: Destination
    /// What of the pipelines goes there.
    let pipelines: [LoadedPipeline]
    let settings: ProducerSettings
    /// Where its checkpoints live.
    let stateDirectory: String

    /// The name of a cluster that is not the process's own.
    package var cluster: String? { destination.name }

    /// The process's own cluster, with what of some pipelines goes there.
    package static func own(
        _ pipelines: [LoadedPipeline],
        settings: ProducerSettings,
        stateDirectory: String
    ) throws -> Route {
        try Route(.own, pipelines, settings, stateDirectory)
    }

    private init(
        _ destination: Destination,
        _ pipelines: [LoadedPipeline],
        _ settings: ProducerSettings,
        _ stateDirectory: String
    ) throws {
        self.destination = destination
        self.pipelines = try pipelines.map { try $0.restricted(to: destination) }
        self.settings = settings
        self.stateDirectory = StateDirectories.directory(of: destination.name, in: stateDirectory)
    }

    /// One for each cluster that pipelines send to, the process's own first.
    ///
    /// - Parameter own: the settings of the process's own cluster, if it is sent to.
    /// - Parameter environment: finds what `secret.env("NAME")` stands for.
    /// - Throws: `ServiceError` (78) for settings that contradict each other, or lack brokers, and where
    ///   the own cluster was another one before: all would be sent again.
    package static func routes(
        of pipelines: [LoadedPipeline],
        in deployment: Deployment,
        stateDirectory: String,
        allowsTransactions: Bool = false,
        environment: (String) -> String?,
        own: () throws -> ProducerSettings
    ) throws -> [Route] {
        if let name = deployment.configuration.cluster?.name,
            StateDirectories.hold(name, in: stateDirectory)
        {
            throw ServiceError(
                .configuration,
                "`\(name)` is another cluster to \(stateDirectory.printable), which has its checkpoints"
                    + " in clusters/\(name): choose the own cluster of before by --cluster, or another"
                    + " --state-dir"
            )
        }
        return try destinations(of: pipelines.map(\.plan)).map { destination in
            let settings =
                try destination.name.map { cluster in
                    try ProducerSettings(
                        deployment: deployment,
                        cluster: cluster,
                        allowsTransactions: allowsTransactions,
                        environment: environment
                    )
                } ?? own()
            let concerned = pipelines.filter { $0.plan.destinations.contains(destination) }
            return try Route(destination, concerned, settings, stateDirectory)
        }
    }

    /// Where pipelines send to, the process's own cluster first.
    static func destinations(of plans: [Plan]) -> [Destination] {
        var found: [Destination] = []
        for destination in plans.flatMap(\.destinations) where !found.contains(destination) {
            found.insert(destination, at: destination == .own ? 0 : found.count)
        }
        return found
    }
}

extension Route {
    /// The topics that pipelines name there, with the file of each.
    var topics: [(path: String, names: TopicNames)] {
        pipelines.flatMap { pipeline in
            pipeline.plan.topicUses(at: destination).map { (pipeline.path, $0.names) }
        }
    }

    /// Whether a pipeline may send to a topic there, as far as that is known without its records.
    func mayNameTopic(_ topic: String) -> Bool {
        topics.contains { $0.names.all?.contains(topic) ?? true }
    }
}
