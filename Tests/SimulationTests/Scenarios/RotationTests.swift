import Checkpointing
import Testing

@testable import Shipping

/// C: rotation.
extension ScenarioTests {
    @Test(arguments: ["\"*.log\"", "\"a.log*\""])
    func `37, 38: rename and create, with the old name in the glob or not`(glob: String) throws {
        let it = try Scenario(glob)
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.rename("a.log", "a.log.1")
        it.write("a.log", numbered(10..<20))
        it.pass(.seconds(30))
        #expect(it.values == numbers(0..<20))
        #expect(try it.counter(.rotations) == (glob.contains("a.log") ? 0 : 1))
    }

    @Test func `39: unread lines of a file that was rotated out of the glob are read`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.append("a.log", numbered(10..<76))
        it.rename("a.log", "old-a")
        it.write("a.log", numbered(76..<80))
        it.pass(.seconds(30))
        #expect(it.values == numbers(0..<80))
    }

    @Test func `40: a writer that stays on the rotated file is followed`() throws {
        let it = try Scenario()
        let writer = it.writer("a.log")
        writer.append(numbered(0..<5))
        try it.start()
        it.rename("a.log", "a.log.1")
        for number in 5..<10 {
            it.pass(.seconds(3))
            writer.append("\(number)\n")
        }
        it.pass(.seconds(3))
        #expect(it.values == numbers(0..<10))
        // Long after it was let go of, it is found by its inode.
        it.pass(.seconds(60))
        #expect(it.process?.openFiles == 0)
        writer.append("10\n")
        it.pass(.seconds(60))
        #expect(it.values == numbers(0..<11))
    }

    @Test(arguments: ["\"*.log\"", "\"a.log*\""], [0, 20, 7000])
    func `41: a cascade of renames, slow or fast, sends each line once`(
        glob: String,
        pause: Int
    ) throws {
        let it = try Scenario(glob)
        it.write("a.log", numbered(0..<10))
        try it.start()
        for round in 1...5 {
            for number in (1..<min(round, 4)).reversed() {
                it.rename("a.log.\(number)", "a.log.\(number + 1)")
                it.pass(.milliseconds(pause))
            }
            it.append("a.log", "\(round * 10 - 1)b\n")
            it.rename("a.log", "a.log.1")
            it.pass(.milliseconds(pause))
            it.write("a.log", numbered((round * 10)..<(round * 10 + 10)))
            if round < 5 || pause == 0 { it.pass(.milliseconds(300)) }
        }
        it.pass(.seconds(30))
        let wanted = (0..<60).flatMap { number in
            number % 10 == 9 && number < 50 ? ["\(number)", "\(number)b"] : ["\(number)"]
        }
        #expect(it.values == wanted)
    }

    @Test(arguments: ["\"*.log\"", "\"a.log*\""])
    func `42: after a rotation while it was stopped, the rest and the new file are read`(
        glob: String
    ) throws {
        let it = try Scenario(glob)
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.stop()
        it.append("a.log", numbered(10..<20))
        it.rename("a.log", "a.log.1")
        it.write("a.log", numbered(20..<30))
        try it.start()
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<30))
        #expect(it.values(of: "a.log").suffix(10) == numbers(20..<30)[...])
    }

    @Test func `43: a deleted file is drained, and then let go of`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.append("a.log", numbered(10..<20))
        it.remove("a.log")
        it.pass()
        #expect(it.values == numbers(0..<20))
        #expect(it.openFiles == ["a.log (deleted)"])
        it.pass(.seconds(10))
        #expect(it.openFiles == [])
        #expect(try it.checkpoints().map(\.state) == [.finished])
    }

    @Test(arguments: [false, true])
    func `44, 45: a file deleted and made again is read from its start`(
        isStopped: Bool
    ) throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<10))
        try it.start()
        if isStopped { it.stop() }
        it.remove("a.log")
        it.write("a.log", numbered(10..<30))
        if isStopped { try it.start() }
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<30))
        #expect(it.records.suffix(20).first?.offset == 0)
    }
}

// MARK: - Names that change and bytes that stay

extension ScenarioTests {
    @Test func `51: after an atomic save only what was added is sent`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.write("a.tmp", numbered(0..<15))
        it.rename("a.tmp", "a.log")
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<15))
        it.append("a.log", numbered(15..<16))
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<16))
    }

    @Test func `51: an atomic save is known although its first unfinished line was another`() throws
    {
        let it = try Scenario()
        it.limits.usesEvents = false
        it.write("a.log", "0\n1")
        try it.start()
        it.truncate("a.log", to: 2)
        it.append("a.log", "2\n")
        it.write("a.tmp", "0\n2\n3\n")
        it.rename("a.tmp", "a.log")
        it.pass(.seconds(60))
        #expect(it.values == ["0", "2", "3"])
    }

    @Test func `51: an atomic save is known of a file that was empty when it was last seen`() throws
    {
        let it = try Scenario()
        it.limitMemory()
        it.limits.lanes = 1
        it.kafka.isPaused = true
        it.write("0.log", numbered(0..<10_000))
        it.write("a.log", "0\n")
        try it.start()
        it.truncate("a.log")
        it.pass()
        it.rename("a.log", "b.log")
        it.pass()
        it.stop()
        it.append("b.log", "1\n")
        try it.start()
        it.write("b.tmp", "1\n2\n")
        it.rename("b.tmp", "b.log")
        it.pass()
        it.kafka.isPaused = false
        it.pass(.seconds(60))
        #expect(it.values(of: "b.log") == ["1", "2"])
    }

    @Test func `52: a hard link of a file is the same file`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<3))
        try it.start()
        it.hardLink("b.log", to: "a.log")
        it.pass(.seconds(10))
        it.append("b.log", numbered(3..<6))
        it.pass()
        it.remove("a.log")
        it.append("b.log", numbered(6..<9))
        it.pass(.seconds(10))
        try it.restart()
        #expect(it.values == numbers(0..<9))
    }

    @Test func `53: a file that was only touched is not read again`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<3))
        try it.start()
        it.touch("a.log", ago: .zero)
        it.pass(.seconds(10))
        it.touch("a.log", ago: .seconds(86_400))
        it.pass(.seconds(60))
        try it.restart()
        #expect(it.values == numbers(0..<3))
    }

    @Test func `54: a file closed for inactivity is opened again where it was`() throws {
        let it = try Scenario("\"*.log\"", "close_inactive = 10s")
        it.write("a.log", numbered(0..<3))
        try it.start()
        #expect(it.openFiles == ["a.log"])
        it.pass(.seconds(20))
        #expect(it.openFiles == [])
        it.append("a.log", numbered(3..<5))
        it.pass()
        #expect(it.openFiles == ["a.log"])
        it.pass(.seconds(20))
        it.rename("a.log", "a.log.1")
        it.append("a.log.1", numbered(5..<6))
        it.write("a.log", numbered(6..<8))
        it.pass(.seconds(20))
        #expect(it.values == numbers(0..<8))
    }
}
