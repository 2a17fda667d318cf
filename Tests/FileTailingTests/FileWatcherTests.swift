import FileTailing
import Glibc
import Testing

/// Real files, with and without the kernel's hints.
struct FileWatcherTests {
    private let directory = TemporaryDirectory()

    @Test(arguments: [true, false])
    func `files are found, seen to grow, renamed and removed`(usesEvents: Bool) throws {
        let lane = try TestLane(directory, "*.log", usesEvents: usesEvents)
        directory.write("a.log", "1\n2\n")
        directory.write("other.txt", "x\n")
        #expect(lane.round() == ["a.log: 1", "a.log: 2"])
        directory.append("a.log", "3\n")
        directory.write("b.log", "4\n")
        #expect(lane.round() == ["a.log: 3", "b.log: 4"])
        directory.move("b.log", "c.log")
        directory.append("c.log", "5\n")
        #expect(lane.round() == ["c.log: 5"])
        directory.remove("c.log")
        #expect(lane.round() == [])
        #expect(lane.openPaths == ["a.log"])
    }

    @Test(arguments: [true, false])
    func `a rotated file is drained to its end and the new one read from its start`(
        usesEvents: Bool
    ) throws {
        let lane = try TestLane(directory, "*.log", usesEvents: usesEvents)
        directory.write("a.log", "1\n")
        #expect(lane.round() == ["a.log: 1"])
        directory.append("a.log", "2\n")
        directory.move("a.log", "a.log.1")
        directory.append("a.log.1", "3\nend")
        directory.write("a.log", "4\n")
        #expect(lane.round() == ["a.log.1: 2", "a.log.1: 3", "a.log: 4"])
        #expect(lane.round(after: .seconds(6)) == ["a.log.1: end"])
        #expect(lane.openPaths == ["a.log"])
    }

    @Test(arguments: [true, false])
    func `a rotated name within the glob is not read again`(usesEvents: Bool) throws {
        let lane = try TestLane(directory, "a.log*", usesEvents: usesEvents)
        directory.write("a.log", "1\n")
        #expect(lane.round() == ["a.log: 1"])
        directory.move("a.log", "a.log.1")
        directory.write("a.log", "2\n")
        #expect(lane.round() == ["a.log: 2"])
        for (from, to) in [("a.log.1", "a.log.2"), ("a.log", "a.log.1")] {
            directory.move(from, to)
        }
        directory.write("a.log", "3\n")
        directory.append("a.log.2", "4\n")
        #expect(lane.round() == ["a.log.2: 4", "a.log: 3"])
    }

    @Test(arguments: [true, false])
    func `a deleted file is drained through its descriptor`(usesEvents: Bool) throws {
        let lane = try TestLane(directory, "*.log", usesEvents: usesEvents)
        directory.write("a.log", "1\n")
        _ = lane.round()
        directory.append("a.log", "2\n")
        directory.remove("a.log")
        directory.write("a.log", "3\n")
        #expect(lane.round() == ["a.log: 2", "a.log: 3"])
    }

    @Test(arguments: [true, false])
    func `a truncated file is read again from its start`(usesEvents: Bool) throws {
        let lane = try TestLane(directory, "*.log", usesEvents: usesEvents)
        directory.write("a.log", "first line\nsecond\n")
        _ = lane.round()
        directory.truncate("a.log")
        directory.append("a.log", "first line\n")
        #expect(lane.round() == ["a.log: first line"])
        directory.write("a.log", "another line that is longer than all before it\n")
        #expect(lane.round() == ["a.log: another line that is longer than all before it"])
        #expect(lane.rewrites == 2)
    }

    @Test func `an atomic save sends only what was added`() throws {
        let lane = try TestLane(directory, "*.log")
        directory.write("a.log", "1\n2\n")
        _ = lane.round()
        directory.write("a.tmp", "1\n2\n3\n")
        directory.move("a.tmp", "a.log")
        #expect(lane.round() == ["a.log: 3"])
    }

    @Test func `an unfinished line is never sent in halves`() throws {
        let lane = try TestLane(directory, "*.log")
        directory.write("a.log", "half")
        #expect(lane.round() == [])
        directory.append("a.log", " and half")
        #expect(lane.round(after: .seconds(60)) == [])
        directory.append("a.log", "\n")
        #expect(lane.round() == ["a.log: half and half"])
    }
}

// MARK: - Names

extension FileWatcherTests {
    @Test(arguments: [true, false])
    func `directories that come later are searched`(usesEvents: Bool) throws {
        let lane = try TestLane(directory, "in/**/*.log", usesEvents: usesEvents)
        #expect(lane.round() == [])
        directory.makeDirectory("in")
        directory.makeDirectory("in/x")
        directory.write("in/x/a.log", "1\n")
        #expect(lane.round(after: .seconds(1)) == ["in/x/a.log: 1"])
        directory.makeDirectory("in/x/y")
        directory.write("in/x/y/b.log", "2\n")
        #expect(lane.round() == ["in/x/y/b.log: 2"])
        directory.move("in/x", "in/z")
        directory.append("in/z/a.log", "3\n")
        #expect(lane.round() == ["in/z/a.log: 3"])
        removeTree(directory.file("in"))
        _ = lane.round()
        directory.makeDirectory("in")
        directory.write("in/c.log", "4\n")
        #expect(lane.round(after: .seconds(1)) == ["in/c.log: 4"])
    }

    @Test(arguments: [true, false])
    func `a link and its target are one file, also when the target lies elsewhere`(
        usesEvents: Bool
    ) throws {
        directory.makeDirectory("logs")
        directory.makeDirectory("data")
        directory.write("data/a", "1\n")
        directory.write("logs/b.log", "2\n")
        directory.link("logs/a.log", to: "../data/a")
        directory.link("logs/b2.log", to: "b.log")
        let lane = try TestLane(directory, "logs/*.log", usesEvents: usesEvents)
        #expect(Set(lane.round().map { $0.suffix(1) }) == ["1", "2"])
        directory.append("data/a", "3\n")
        #expect(lane.round() == ["logs/a.log: 3"])
        directory.write("data/b", "4\n")
        directory.remove("logs/a.log")
        directory.append("data/a", "5\n")
        directory.link("logs/a.log", to: "../data/b")
        #expect(lane.round() == ["logs/a.log: 4", "logs/a.log: 5"])
    }

    @Test func `a hard link is not read twice`() throws {
        let lane = try TestLane(directory, "*.log")
        directory.write("a.log", "1\n")
        _ = lane.round()
        directory.hardLink("b.log", to: "a.log")
        #expect(lane.round() == [])
        directory.append("b.log", "2\n")
        #expect(lane.round() == ["a.log: 2"])
    }

    @Test func `what is no file is passed over, and the excluded too`() throws {
        directory.makeDirectory("dir.log")
        mkfifo(directory.file("pipe.log"), 0o644)
        directory.write("skip.log", "1\n")
        directory.link("nowhere.log", to: "none")
        let lane = try TestLane(directory, "*.log", exclude: "skip*")
        #expect(lane.round() == [])
        #expect(lane.problems == [])
    }

    @Test func `a directory linked into itself is searched once`() throws {
        directory.makeDirectory("x")
        directory.link("x/up", to: "..")
        directory.write("x/a.log", "1\n")
        let lane = try TestLane(directory, "**/*.log")
        #expect(lane.round() == ["x/a.log: 1"])
        directory.append("x/a.log", "2\n")
        #expect(lane.round() == ["x/a.log: 2"])
    }

    @Test func `begin at the end means the files that are there, not those that come`() throws {
        directory.write("a.log", "1\nhalf")
        let lane = try TestLane(directory, "*.log", start: .end)
        #expect(lane.round() == [])
        directory.append("a.log", " more\n2\n")
        directory.write("b.log", "3\n")
        #expect(lane.round() == ["a.log: 2", "b.log: 3"])
    }

    @Test func `a thousand files are found, and none is told of twice`() throws {
        for index in 0..<1_000 { directory.write("\(index).log", "\(index)\n") }
        let lane = try TestLane(directory, "*.log")
        #expect(lane.round().count == 1_000)
        #expect(lane.round() == [])
        directory.append("777.log", "x\n")
        #expect(lane.round() == ["777.log: x"])
    }

    @Test func `the scan slows down while nothing changes, and is quick again after a change`()
        throws
    {
        directory.write("a.log", "1\n")
        let watcher = FileWatcher(
            sets: [WatchSet(patterns: [try GlobPattern(directory.path + "/*.log")])],
            known: []
        )
        var now = ContinuousClock.now
        var gaps: [Duration] = []
        for round in 0..<6 {
            if round == 5 { directory.write("b.log", "2\n") }
            _ = watcher.advance(now: now)
            let next = watcher.nextDeadline ?? now
            gaps.append(next - now)
            now = next
        }
        #expect(gaps == [5, 10, 20, 30, 30, 5].map { .seconds($0) })
    }
}

// MARK: - Restarts

extension FileWatcherTests {
    @Test func `after a restart each file goes on where it was, whatever its name`() throws {
        directory.write("a.log", "1\n")
        directory.write("b.log", "2\n")
        let before = try TestLane(directory, "*.log*")
        _ = before.round()
        directory.append("a.log", "3\n")
        directory.move("a.log", "a.log.1")
        directory.write("a.log", "4\n")
        directory.write("b.log", "a new beginning\n")
        let after = try TestLane(directory, "*.log*", known: before.checkpoints)
        #expect(after.round() == ["a.log.1: 3", "a.log: 4", "b.log: a new beginning"])
    }

    @Test func `a file copied while stopped is not read again when the old one is gone`() throws {
        directory.write("a.log", "1\n2\n")
        let before = try TestLane(directory, "*.log")
        _ = before.round()
        directory.append("a.log", "3\n")
        directory.copy("a.log", "copy.log")
        directory.remove("a.log")
        let after = try TestLane(directory, "*.log", known: before.checkpoints)
        #expect(after.round() == ["copy.log: 3"])
    }

    @Test(arguments: [true, false])
    func `a file rotated out of the glob while stopped is drained`(usesEvents: Bool) throws {
        directory.write("a.log", "1\n")
        directory.write("b.log", "2\n")
        let before = try TestLane(directory, "*.log", usesEvents: usesEvents)
        _ = before.round()
        directory.append("a.log", "3\nend")
        directory.move("a.log", "a.log.1")
        directory.move("b.log", "b.log.1")
        let after = try TestLane(
            directory,
            "*.log",
            known: before.checkpoints,
            usesEvents: usesEvents
        )
        #expect(after.round() == ["a.log.1: 3"])
        #expect(after.round(after: .seconds(6)) == ["a.log.1: end"])
        #expect(after.openPaths == [])
    }

    @Test func `a start at the end with nothing there does not skip what comes`() throws {
        let lane = try TestLane(directory, "*.log", start: .end)
        #expect(lane.round() == [])
        directory.write("a.log", "1\n")
        #expect(lane.round() == ["a.log: 1"])
    }

    @Test func `a name that is not UTF-8 is said, and the rest goes on`() throws {
        let name = Array(directory.path.utf8) + [0x2F, 0xFF] + Array(".log".utf8) + [0]
        close(open(name.map { CChar(bitPattern: $0) }, O_CREAT, 0o644))
        directory.write("a.log", "1\n")
        let lane = try TestLane(directory, "*.log")
        #expect(lane.round() == ["a.log: 1"])
        let path = directory.file("\u{FFFD}.log")
        #expect(
            lane.problems.map { "\($0)" }
                == ["cannot open '\(path)': its name is not UTF-8; rename it"]
        )
    }
}
