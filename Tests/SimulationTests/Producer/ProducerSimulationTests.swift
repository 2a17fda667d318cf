import Glibc
import Testing

@testable import Kafka

/// The producer's machines and the broker's, with anything that may go wrong between them.
///
/// FORKTAIL_SEEDS runs so many simulations of each shape, FORKTAIL_SEED replays one.
struct ProducerSimulationTests {
    @Test func `every record is in the log once and in order, whatever happens on the way`() throws
    {
        try run(ProducerScenario.Shape())
    }

    @Test func `after a restart that forgets, nothing comes twice`() throws {
        try run(ProducerScenario.Shape(restartsInOrder: true))
    }

    @Test func `a record that the broker refuses takes no other with it`() throws {
        try run(ProducerScenario.Shape(hasPoison: true))
    }

    @Test func `what was not delivered in time fails, and the rest is in the log once`() throws {
        try run(ProducerScenario.Shape(restartsInOrder: true, hasDeliveryTimeout: true))
    }

    @Test func `whatever happens, what is sent is written down with its numbers`() throws {
        try run(ProducerScenario.Shape(isJournaled: true))
    }

    @Test func `what is numbered anew or divided is written down anew before it is sent`() throws {
        try run(ProducerScenario.Shape(restartsInOrder: true, hasPoison: true, isJournaled: true))
    }

    @Test func `what fails while it is written down leaves others their numbers`() throws {
        try run(
            ProducerScenario.Shape(hasPoison: true, hasDeliveryTimeout: true, isJournaled: true)
        )
    }

    @Test func `without idempotence nothing that was acknowledged is missing`() throws {
        try run(ProducerScenario.Shape(isIdempotent: false))
    }

    @Test func `when the process dies, the next one has each record in the log once and in order`()
        throws
    {
        try run(ProducerScenario.Shape(isJournaled: true, dies: true))
    }

    private func run(_ shape: ProducerScenario.Shape) throws {
        var sum = Simulation.Count()
        for seed in seeds {
            let simulation = try Simulation(seed: seed, shape)
            do {
                try simulation.run()
            } catch {
                Issue.record("\(try story(of: seed, shape, error))")
                return
            }
            sum.add(simulation.count)
        }
        print("\(seeds.count) simulations: \(sum)")
    }

    /// The same again, with a trace.
    private func story(
        of seed: UInt64,
        _ shape: ProducerScenario.Shape,
        _ failure: Simulation.Failure
    ) throws -> String {
        let simulation = try Simulation(seed: seed, shape, isTracing: true)
        try? simulation.run()
        let length = variable("FORKTAIL_SEED") == nil ? 80 : Int.max
        return """
            seed \(seed), \(shape): \(failure)
            \(simulation.trace.suffix(length).joined(separator: "\n"))
            replay: SWIFT_DETERMINISTIC_HASHING=1 FORKTAIL_SEED=\(seed) swift test --filter ProducerSimulationTests
            """
    }

    private var seeds: ClosedRange<UInt64> {
        if let seed = variable("FORKTAIL_SEED").flatMap({ UInt64($0) }) { return seed...seed }
        return 1...(variable("FORKTAIL_SEEDS").flatMap { UInt64($0) } ?? 40)
    }

    private func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

extension Simulation.Count: CustomStringConvertible {
    mutating func add(_ other: Simulation.Count) {
        self.steps += other.steps
        self.records += other.records
        self.acknowledged += other.acknowledged
        self.failed += other.failed
        self.duplicates += other.duplicates
        self.possibleDuplicates += other.possibleDuplicates
        self.batchesRetried += other.batchesRetried
        self.batchesSplit += other.batchesSplit
        self.writes += other.writes
        self.deaths += other.deaths
        self.found += other.found
        self.resent += other.resent
        self.faults.merge(other.faults, uniquingKeysWith: +)
        self.simulated += other.simulated
        self.longestWait = max(self.longestWait, other.longestWait)
    }

    var description: String {
        let faults = NetworkFault.allCases.compactMap { fault in
            self.faults[fault].map { "\($0) \(fault.rawValue)" }
        }
        return """
            \(self.steps) steps in \(self.simulated / .seconds(3600)) hours of theirs
              \(self.records) records, \(self.acknowledged) acknowledged, \(self.failed) failed, \
            \(self.duplicates) repeated, \(self.possibleDuplicates) counted as perhaps repeated
              \(self.batchesRetried) batches sent again, \(self.batchesSplit) split, \
            \(self.writes) writes of the journal, \(self.deaths) deaths \
            (\(self.found) records found, \(self.resent) sent again); \
            \(self.longestWait) was the longest wait after the last fault
              \(faults.joined(separator: ", "))
            """
    }
}
