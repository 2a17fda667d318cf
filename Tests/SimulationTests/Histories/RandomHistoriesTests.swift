import Glibc
import Testing

@testable import Shipping

/// Anything that may happen to log files, in any order.
///
/// FORKTAIL_SEEDS runs so many histories of each shape, and a quarter of that on the machine's own
/// disk; FORKTAIL_SEED replays one, and FORKTAIL_STEPS says how long each is.
@Suite(.serialized)
struct RandomHistoriesTests {
    @Test(arguments: [true, false])
    func `every line arrives once, whatever happens to its file`(keepsRotatedInGlob: Bool) throws {
        try run(.init(keepsRotatedInGlob: keepsRotatedInGlob, kills: false))
    }

    @Test(arguments: [true, false])
    func `after a kill nothing is missing, and only what was on its way comes twice`(
        keepsRotatedInGlob: Bool
    ) throws {
        try run(.init(keepsRotatedInGlob: keepsRotatedInGlob))
    }

    @Test(arguments: [true, false], History.Sends.allCases)
    func `with a journal nothing comes twice after a kill`(
        keepsRotatedInGlob: Bool,
        sends: History.Sends
    ) throws {
        var shape = History.Shape(keepsRotatedInGlob: keepsRotatedInGlob)
        shape.isExact = true
        shape.sends = sends
        shape.partitions = 3
        try run(shape)
    }

    @Test(arguments: [true, false], History.Sends.allCases)
    func `with the producer, the network and the brokers as they are it is the same`(
        keepsRotatedInGlob: Bool,
        sends: History.Sends
    ) throws {
        var shape = History.Shape(keepsRotatedInGlob: keepsRotatedInGlob)
        shape.isExact = true
        shape.sends = sends
        shape.partitions = 3
        shape.hasBrokers = true
        try run(shape)
    }

    @Test(arguments: [true, false])
    func `hints may get lost, come twice and in another order`(keepsRotatedInGlob: Bool) throws {
        let faults = SimulatedDisk.HintFaults(
            lost: 0.2,
            doubled: 0.2,
            reordered: 0.3,
            queueLimit: 16
        )
        try run(.init(keepsRotatedInGlob: keepsRotatedInGlob, hints: faults))
    }

    @Test(arguments: [true, false])
    func `a file system without events loses nothing`(keepsRotatedInGlob: Bool) throws {
        try run(.init(keepsRotatedInGlob: keepsRotatedInGlob, usesEvents: false))
    }

    // An own disk gives the entries of a directory in an order of its own, so a seed may be another
    // history elsewhere.
    @Test(arguments: [true, false])
    func `on the machine's own disk, with its inotify, it is the same`(
        keepsRotatedInGlob: Bool
    ) throws {
        try run(.init(keepsRotatedInGlob: keepsRotatedInGlob, usesRealDisk: true))
    }

    private func run(_ shape: History.Shape) throws {
        var shape = shape
        if let steps = variable("FORKTAIL_STEPS").flatMap({ Int($0) }) { shape.steps = steps }
        if variable("FORKTAIL_SEED") != nil { shape.traceLength = .max }
        var sum = History.Sum()
        let seeds = seeds(shape)
        for seed in seeds {
            let history = try History(seed: seed, shape)
            do {
                try history.run()
                sum.add(history)
            } catch {
                Issue.record(error)
            }
        }
        print("\(seeds.count) histories of \(shape.steps) steps: \(sum)")
    }

    private func seeds(_ shape: History.Shape) -> ClosedRange<UInt64> {
        if let seed = variable("FORKTAIL_SEED").flatMap({ UInt64($0) }) { return seed...seed }
        let count = variable("FORKTAIL_SEEDS").flatMap { UInt64($0) } ?? 25
        return 1...max(1, shape.usesRealDisk ? count / 4 : count)
    }

    private func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
