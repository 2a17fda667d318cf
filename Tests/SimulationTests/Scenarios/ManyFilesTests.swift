import Glibc
import Synchronization
import Testing

@testable import Shipping

/// B, continued: many files, and a kernel that gives less.
extension ScenarioTests {
    @Test func `31: a backlog is read from the oldest file to the youngest`() throws {
        let it = try Scenario()
        it.limits.lanes = 1
        for (name, hours) in [("b", 1), ("c", 3), ("a", 2)] {
            it.write("\(name).log", "\(name)1\n\(name)2\n")
            it.touch("\(name).log", ago: .seconds(hours * 3600))
        }
        try it.start()
        #expect(it.values == ["c1", "c2", "a1", "a2", "b1", "b2"])
    }

    @Test func `32: a live file does not wait behind a large one`() throws {
        let it = try Scenario()
        it.limits.lanes = 1
        it.limitMemory()
        it.write("big.log", (0..<20_000).map { "big \($0)\n" }.joined())
        it.write("live.log", "live 0\n")
        try it.begin()
        it.run { it.values.count > 1000 }
        it.append("live.log", "live 1\n")
        it.pass()
        let all = it.values
        #expect(all.count == 20_002)
        let first = try #require(all.firstIndex(of: "live 0"))
        let second = try #require(all.firstIndex(of: "live 1"))
        #expect(first < 1000)
        #expect(second < 4000)
    }

    @Test func `33: many files that are there, and all grow, are each read once`() throws {
        let it = try Scenario()
        it.limits.openFileLimit = 16
        let files = (0..<200).map { "\($0).log" }
        for file in files { it.write(file, lines(of: file, 0..<10)) }
        try it.start()
        for file in files { it.append(file, lines(of: file, 10..<20)) }
        it.pass()
        #expect(it.values.count == 4000)
        for file in files { #expect(it.values(of: file) == wanted(file, 0..<20)) }
    }

    @Test func `34: more files than descriptors take turns, and all arrive`() throws {
        let it = try Scenario()
        let disk = FaultyDisk(openLimit: 16)
        it.disk = disk
        it.limits.openFileLimit = 4
        let files = (0..<50).map { "\($0).log" }
        for file in files { it.write(file, lines(of: file, 0..<10)) }
        try it.start()
        it.pass(.seconds(30))
        for file in files { it.append(file, lines(of: file, 10..<20)) }
        it.pass(.seconds(30))
        #expect(it.values.count == 1000)
        for file in files { #expect(it.values(of: file) == wanted(file, 0..<20)) }
        #expect(disk.refusals > 0)
        #expect(it.said("Too many open files"))
        #expect(try it.counter(.descriptorsExhausted) > 0)
    }

    @Test func `34: a file that has lost its name is not closed for another's sake`() throws {
        let it = try Scenario()
        it.limits.lanes = 1
        it.limits.openFileLimit = 1
        // Both are there before one is read; the first goes when the second is opened.
        let first = Mutex<String?>(nil)
        it.disk = FaultyDisk(beforeOpen: { path in
            guard path.hasSuffix(".log") else { return }
            let other = first.withLock { first in
                first = first ?? path
                return first
            }
            if let other, other != path { unlink(other) }
        })
        it.write("a.log", numbered(0..<50))
        it.write("b.log", numbered(50..<100))
        try it.start()
        #expect(it.values.count == 100)
        #expect(Set(it.values) == Set(numbers(0..<100)))
    }

    @Test(arguments: [0, 1])
    func `35: without watches files are found by scanning, and it says so`(watches: Int) throws {
        let it = try Scenario("\"in/**/*.log\"")
        it.disk = FaultyDisk(watchLimit: watches)
        it.mkdir("in")
        it.mkdir("in/x")
        it.write("in/x/a.log", "1\n")
        try it.start()
        it.append("in/x/a.log", "2\n")
        it.pass(.seconds(6))
        it.mkdir("in/y")
        it.write("in/y/b.log", "3\n")
        it.pass(.seconds(6))
        #expect(it.values == ["1", "2", "3"])
        #expect(it.said("max_user_watches"))
    }

    @Test(arguments: [true, false])
    func `36: without inotify the same arrives`(usesEvents: Bool) throws {
        let it = try Scenario()
        it.limits.usesEvents = usesEvents
        it.write("a.log", numbered(0..<5))
        try it.start()
        it.append("a.log", numbered(5..<10))
        it.pass(.seconds(6))
        it.append("a.log", numbered(10..<15))
        it.rename("a.log", "a.log.1")
        it.write("a.log", numbered(15..<20))
        it.pass(.seconds(6))
        it.truncate("a.log")
        it.pass(.seconds(6))
        it.append("a.log", numbered(20..<25))
        it.pass(.seconds(6))
        it.write("b.log", numbered(25..<30))
        it.pass(.seconds(6))
        it.append("b.log", numbered(30..<31))
        it.remove("b.log")
        it.pass(.seconds(6))
        #expect(it.values.filter { Int($0) ?? 0 < 25 } == numbers(0..<25))
        #expect(it.values.filter { Int($0) ?? 0 >= 25 } == numbers(25..<31))
    }

    private func lines(of file: String, _ range: Range<Int>) -> String {
        wanted(file, range).map { $0 + "\n" }.joined()
    }

    private func wanted(_ file: String, _ range: Range<Int>) -> [String] {
        range.map { "\(file) \($0)" }
    }
}
