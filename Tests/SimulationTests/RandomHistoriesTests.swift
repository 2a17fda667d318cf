import Glibc
import Testing

@testable import Shipping

/// Anything that may happen to log files, in any order.
///
/// FORKTAIL_SEEDS runs so many histories of each shape, FORKTAIL_SEED replays one, and
/// FORKTAIL_STEPS says how long each is.
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

    private func run(_ shape: History.Shape) throws {
        var shape = shape
        if let steps = variable("FORKTAIL_STEPS").flatMap({ Int($0) }) { shape.steps = steps }
        if variable("FORKTAIL_SEED") != nil { shape.traceLength = .max }
        var sum = History.Sum()
        for seed in seeds {
            let history = try History(seed: seed, shape)
            try history.run()
            sum.add(history)
        }
        print("\(seeds.count) histories of \(shape.steps) steps: \(sum)")
    }

    private var seeds: ClosedRange<UInt64> {
        if let seed = variable("FORKTAIL_SEED").flatMap({ UInt64($0) }) { return seed...seed }
        return 1...(variable("FORKTAIL_SEEDS").flatMap { UInt64($0) } ?? 25)
    }

    private func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
