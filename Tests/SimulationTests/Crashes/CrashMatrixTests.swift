import Glibc
import Testing

@testable import Kafka

/// Ways to go on after a crash, by what the brokers went through: how many runs end with a record
/// that is missing, repeated or out of its order.
///
/// FORKTAIL_CRASHES runs so many crashes for each cell, FORKTAIL_SEED replays one.
struct CrashMatrixTests {
    @Test func `after any crash only the exact way has every record once and in order`() throws {
        var table = Self.header
        for way in RestartWay.allCases {
            var cells: [Int] = []
            for state in CrashScene.BrokerState.allCases {
                let failures = try self.failures(way, state)
                if way == .exact, let (seed, problem) = failures.first {
                    Issue.record(
                        """
                        \(state.rawValue), seed \(seed): \(problem)
                        replay: SWIFT_DETERMINISTIC_HASHING=1 FORKTAIL_SEED=\(seed) swift test \
                        --filter CrashMatrixTests
                        """
                    )
                }
                cells.append(failures.count)
            }
            table += Self.line(way, cells)
            self.expectShape(of: way, cells)
        }
        print("runs of \(self.seeds.count) that fail, by what the brokers went through:\n\(table)")
    }

    @Test func `without the wait for late requests old timestamps repeat records`() throws {
        let seeds = self.seeds.lowerBound...max(100, self.seeds.upperBound)
        let failures = try self.failures(.exact, .old, seeds) { $0.quietTime = .zero }
        #expect(!failures.isEmpty)
    }

    @Test func `to trust brokers that forget repeats records`() throws {
        let century = Duration.seconds(100 * 365 * 86_400)
        let failures = try self.failures(.exact, .expired) { $0.memory = century }
        #expect(self.seeds.count < 20 || !failures.isEmpty)
    }

    private func failures(
        _ way: RestartWay,
        _ state: CrashScene.BrokerState,
        _ seeds: ClosedRange<UInt64>? = nil,
        _ change: (inout RecoveryStateMachine.Settings) -> Void = { _ in }
    ) throws -> [(seed: UInt64, problem: String)] {
        var failures: [(UInt64, String)] = []
        for seed in seeds ?? self.seeds {
            let scene = CrashScene(state, seed: seed)
            change(&scene.settings)
            try scene.live()
            let count = (scene.rows.last?.records.last ?? -1) + 1 + scene.unwritten.count
            do {
                try scene.restart(way)
                if let problem = try scene.problem(count: count) {
                    failures.append((seed, problem))
                }
            } catch let failure as CrashScene.Failure {
                failures.append((seed, failure.description))
            }
        }
        return failures
    }

    /// The ways of others fail where it is said that they do.
    private func expectShape(of way: RestartWay, _ cells: [Int]) {
        guard self.seeds.count >= 20 else { return }
        let (alive, restarted, expired) = (cells[0], cells[1], cells[2])
        switch way {
        case .newProducerID: #expect(alive > 0 && restarted > 0 && expired > 0)
        case .bumpedEpoch: #expect(alive == 0 && restarted > 0 && expired > 0)
        case .ladder, .describing: #expect(alive == 0 && restarted == 0 && expired > 0)
        case .exact: #expect(cells.allSatisfy { $0 == 0 })
        }
    }

    private var seeds: ClosedRange<UInt64> {
        if let seed = variable("FORKTAIL_SEED").flatMap({ UInt64($0) }) { return seed...seed }
        return 1...(variable("FORKTAIL_CRASHES").flatMap { UInt64($0) } ?? 30)
    }

    private func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    // MARK: The table

    private static let columns = CrashScene.BrokerState.allCases.map(\.rawValue)

    private static var header: String {
        "| way | " + self.columns.joined(separator: " | ") + " |\n"
            + "| --- |" + String(repeating: " ---: |", count: self.columns.count) + "\n"
    }

    private static func line(_ way: RestartWay, _ cells: [Int]) -> String {
        "| \(way.rawValue) | " + cells.map(String.init).joined(separator: " | ") + " |\n"
    }
}
