import Glibc
import Testing

@testable import Shipping

/// B: discovery, globs, symbolic links, rights.
extension ScenarioTests {
    @Test func `20: an excluded file is not read`() throws {
        let it = try Scenario("\"*.log\"", "exclude = \"skip*.log\"")
        it.write("a.log", "1\n")
        it.write("skip-a.log", "2\n")
        try it.start()
        it.write("skip-b.log", "3\n")
        it.pass()
        #expect(it.values == ["1"])
    }

    @Test func `21: a file that two patterns match is read once`() throws {
        let it = try Scenario("\"a*.log\", \"*.log\"")
        it.write("a.log", "1\n")
        try it.start()
        it.append("a.log", "2\n")
        it.pass()
        #expect(it.values == ["1", "2"])
        #expect(try it.checkpoints().count == 1)
    }

    @Test func `22: thirty targets under one link are each read whole, once`() throws {
        let it = try Scenario("\"current.log\"")
        it.mkdir("targets")
        try it.start()
        for round in 0..<30 {
            it.write("targets/\(round)", numbered((round * 100)..<(round * 100 + 100)))
            it.link("current.log", to: "targets/\(round)")
            it.pass(.milliseconds(300))
        }
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<3000))
    }

    @Test func `23: a link that leads elsewhere means the rest of one file, then all of the other`()
        throws
    {
        let it = try Scenario("\"current.log\"")
        it.mkdir("targets")
        it.write("targets/a", numbered(0..<10))
        it.link("current.log", to: "targets/a")
        try it.start()
        it.append("targets/a", numbered(10..<20))
        it.write("targets/b", numbered(20..<30))
        it.link("current.log", to: "targets/b")
        it.pass()
        #expect(it.values == numbers(0..<30))
    }

    @Test func `24: a link that went ends reading, and one that came back goes on with it`() throws
    {
        let it = try Scenario("\"current.log\"")
        it.mkdir("targets")
        it.write("targets/a", "1\n")
        it.link("current.log", to: "targets/a")
        try it.start()
        it.remove("current.log")
        it.pass(.seconds(10))
        #expect(it.openFiles == [])
        it.append("targets/a", "2\n")
        it.pass(.seconds(60))
        #expect(it.values == ["1"])
        it.link("current.log", to: "targets/a")
        it.pass()
        #expect(it.values == ["1", "2"])
    }

    @Test func `25: a link and its target in one glob are one file`() throws {
        let it = try Scenario()
        it.write("target.log", "1\n")
        it.link("link.log", to: "target.log")
        try it.start()
        it.append("target.log", "2\n")
        it.pass()
        try it.restart()
        #expect(it.values == ["1", "2"])
    }

    @Test func `26: a cycle of links ends`() throws {
        let it = try Scenario("\"in/**/*.log\"")
        it.mkdir("in")
        it.mkdir("in/x")
        it.link("in/x/up", to: "..")
        it.link("in/x/itself", to: "itself")
        it.write("in/x/a.log", "1\n")
        try it.start()
        it.append("in/x/a.log", "2\n")
        it.pass(.seconds(60))
        #expect(it.values == ["1", "2"])
        #expect(it.said("in/x/up' leads to a directory above it"))
    }

    @Test func `27: a file without the right to read it is named, and read once there is one`()
        throws
    {
        let it = try Scenario()
        it.write("a.log", "1\n")
        it.write("secret.log", "2\n")
        it.setMode("secret.log", 0)
        try asNobody {
            try it.start()
            #expect(it.values == ["1"])
            #expect(it.said("secret.log"))
            it.pass(.seconds(60))
            #expect(it.values == ["1"])
        }
        it.setMode("secret.log", 0o644)
        asNobody { it.pass() }
        #expect(it.values == ["1", "2"])
    }

    @Test func `28: directories and FIFOs are passed over`() throws {
        let it = try Scenario()
        it.mkdir("directory.log")
        it.makeFIFO("fifo.log")
        it.write("a.log", "1\n")
        try it.start()
        it.makeFIFO("later.log")
        it.append("a.log", "2\n")
        it.pass(.seconds(10))
        #expect(it.values == ["1", "2"])
        #expect(try it.checkpoints().count == 1)
    }

    @Test func `29: a directory that went and came again is watched again`() throws {
        let it = try Scenario("\"in/*.log\"")
        it.mkdir("in")
        it.write("in/a.log", "1\n")
        try it.start()
        it.removeDirectory("in")
        it.pass()
        it.mkdir("in")
        it.write("in/b.log", "2\n")
        it.pass()
        it.append("in/b.log", "3\n")
        it.pass()
        #expect(it.values == ["1", "2", "3"])
    }

    @Test func `30: of a file that is too old only new lines are read`() throws {
        let it = try Scenario("\"*.log\"", "ignore_older = 1h")
        it.write("old.log", "1\n")
        it.touch("old.log", ago: .seconds(2 * 3600))
        it.write("young.log", "2\n")
        try it.start()
        #expect(it.values == ["2"])
        it.append("old.log", "3\n")
        it.pass()
        #expect(it.values == ["2", "3"])
    }

    @Test func `30: or all of it, once it grows`() throws {
        let it = try Scenario("\"*.log\"", "ignore_older = 1h  old_files = beginning")
        for file in ["old.log", "older.log"] {
            it.write(file, "1 of \(file)\n")
            it.touch(file, ago: .seconds(2 * 3600))
        }
        try it.start()
        it.pass(.seconds(60))
        #expect(it.values.isEmpty)
        it.append("old.log", "2\n")
        it.pass(.seconds(60))
        #expect(it.values == ["1 of old.log", "2"])
        try it.restart()
        it.rename("older.log", "renamed.txt")
        it.pass(.seconds(1))
        it.append("renamed.txt", "3\n")
        it.append("old.log", "4\n")
        it.pass(.seconds(60))
        #expect(it.values.sorted() == ["1 of old.log", "1 of older.log", "2", "3", "4"])
    }
}

/// Runs something without the rights of root; only this thread gives them up.
private func asNobody(_ body: () throws -> Void) rethrows {
    typealias SetUser = @convention(c) (UInt32) -> Int32
    guard let symbol = dlsym(nil, "setfsuid") else { preconditionFailure("no setfsuid") }
    // Safe: this is what the manual page says of it.
    let setUser = unsafeBitCast(symbol, to: SetUser.self)
    let before = setUser(65534)
    defer { _ = setUser(UInt32(before)) }
    try body()
}
