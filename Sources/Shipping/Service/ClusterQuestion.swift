internal import Checkpointing
internal import Kafka
package import Logging
internal import PipelineLanguage

/// Which cluster `forktail check --kafka` asks, and how long it waits for an answer.
package struct ClusterQuestion {
    private let settings: ProducerSettings
    private let delivery: DeliveryOptions
    private let stateDirectory: String
    private let patience: Duration
    private let logger: Logger

    /// - Parameter settings: Those under which the pipelines are to run.
    /// - Parameter stateDirectory: Where the transactional id is from that no property names.
    /// - Throws: `ServiceError` (78) for properties that the promise cannot be kept with.
    package init(
        settings: ProducerSettings,
        delivery: DeliveryOptions,
        stateDirectory: String,
        patience: Duration,
        logger: Logger
    ) throws {
        try delivery.check(settings.configuration)
        self.settings = settings
        self.delivery = delivery
        self.stateDirectory = stateDirectory
        self.patience = patience
        self.logger = logger
    }

    /// Asks for all topics that the pipelines can name.
    ///
    /// - Throws: `ServiceError`: 69 when no broker answers, 77 when one refuses.
    func ask(for plans: [Plan]) throws(ServiceError) -> ClusterCheck {
        let topics = Set(plans.flatMap(\.topicUses).flatMap { $0.names.all ?? [] })
        let transactionalID = delivery.mode == .transactional ? transactionalID : nil
        var configuration = settings.configuration
        configuration.transactionalID = transactionalID
        do {
            return ClusterCheck(
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
    private var transactionalID: String? {
        if let id = settings.configuration.transactionalID { return id }
        let path = stateDirectory + "/checkpoints.db"
        return (try? CheckpointStore.open(readOnly: path)).map(RunningTransactions.ownID)
    }
}
