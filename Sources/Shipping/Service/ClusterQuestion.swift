internal import Checkpointing
internal import Kafka
package import Logging
internal import PipelineLanguage

/// How `forktail check --kafka` asks clusters, and how long it waits for an answer.
package struct ClusterQuestion {
    private let delivery: DeliveryOptions
    private let patience: Duration
    private let logger: Logger
    /// The clusters that pipelines send to, under the settings with which they are to run.
    private let routes: ([LoadedPipeline]) throws -> [Route]

    /// - Parameter routes: the clusters that pipelines send to, under the settings with which they are
    ///   to run.
    package init(
        delivery: DeliveryOptions,
        patience: Duration,
        logger: Logger,
        routes: @escaping ([LoadedPipeline]) throws -> [Route]
    ) {
        self.delivery = delivery
        self.patience = patience
        self.logger = logger
        self.routes = routes
    }

    /// Asks each cluster for all topics that the pipelines can name there.
    ///
    /// - Throws: `ServiceError`: 69 when no broker answers, 77 when one refuses, 78 for properties that
    ///   the promise cannot be kept with.
    func ask(for pipelines: [LoadedPipeline]) throws -> [ClusterCheck] {
        try routes(pipelines).map(ask)
    }

    private func ask(_ route: Route) throws -> ClusterCheck {
        let settings = route.settings
        try delivery.check(settings.configuration)
        let uses = route.pipelines.flatMap { $0.plan.topicUses(at: route.destination) }
        let topics = Set(uses.flatMap { $0.names.all ?? [] })
        let transactionalID =
            delivery.mode == .transactional ? transactionalID(of: route) : nil
        var configuration = settings.configuration
        configuration.transactionalID = transactionalID
        do {
            return ClusterCheck(
                destination: route.destination,
                standing: try ClusterInquiry.ask(
                    configuration,
                    topics: topics.sorted(),
                    transactionalID: transactionalID,
                    patience: patience,
                    logger: logger
                ),
                mode: delivery.mode,
                mayCreateTopics: configuration.allowsAutoCreateTopics,
                transactionalID: transactionalID
            )
        } catch let error as ReaderError {
            throw ServiceError(error.status, error.reason)
        } catch {
            throw ServiceError(.configuration, "\(error)")
        }
    }

    /// Nil when it will be made with the state directory.
    private func transactionalID(of route: Route) -> String? {
        if let id = route.settings.configuration.transactionalID { return id }
        let path = route.stateDirectory + "/checkpoints.db"
        return (try? CheckpointStore.open(readOnly: path)).map(RunningTransactions.ownID)
    }
}
