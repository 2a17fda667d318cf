import ArgumentParser

/// Ships growing files to Kafka.
@main
struct Forktail: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forktail",
        abstract: "Ships growing log and CSV files to Kafka, by one readable pipeline file.",
        discussion: """
            Examples:
              forktail try orders.pipeline orders-7.csv | head
              forktail run orders.pipeline -b broker1:9092 --state-dir /var/lib/forktail
            """,
        version: versionText,
        subcommands: [
            Run.self, Backfill.self, Check.self, Test.self, Fmt.self, Export.self, Try.self,
            Init.self, Graph.self, Explain.self, Produce.self, Broker.self, Verify.self,
            Status.self, Checkpoints.self, Version.self,
        ]
    )
}
