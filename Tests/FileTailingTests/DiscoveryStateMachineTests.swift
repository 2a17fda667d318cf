import Testing

@testable import FileTailing

struct DiscoveryStateMachineTests {
    private let old = FileKey(device: 1, inode: 10)
    private let new = FileKey(device: 1, inode: 11)
    private let text = Array("id,name\n1,a\n2,b\n3,c\n".utf8)

    @Test func `a file that nothing is known of is new and read from its start`() {
        var machine = machine()
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: text]) == [.new])
    }

    @Test func `the same inode with the same bytes before the place is resumed there`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: text]) == [.resume(known)])
    }

    @Test func `a file that was renamed while nobody looked is resumed`() {
        let known = known(old, offset: 12, path: "/a")
        var machine = machine(known: [known])
        machine.see([(old, "/a.1"), (new, "/a")])
        let other = Array("another\n".utf8)
        let verdicts = machine.verdicts([old: text, new: other])
        #expect(verdicts.contains(.resume(known)) && verdicts.contains(.new))
    }

    @Test func `the same inode with other bytes before the place was rewritten`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: Array("id,name\n9,z\n2,b\n".utf8)]) == [.rewritten(known)])
    }

    @Test func `the same inode with fewer bytes than the place was rewritten`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: Array(text.prefix(8))]) == [.rewritten(known)])
    }

    @Test func `another inode with the same content is the same file if the old one is gone`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(new, "/a")])
        #expect(machine.verdicts([new: text]) == [.renamed(known)])
    }

    @Test func `two files with the same content are two files while both are there`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a"), (new, "/b")])
        let verdicts = machine.verdicts([old: text, new: text])
        #expect(verdicts.contains(.resume(known)) && verdicts.contains(.new))
    }

    @Test func `a header in common makes two files of different rows no relatives`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(new, "/b")])
        #expect(machine.verdicts([new: Array("id,name\n7,x\n8,y\n".utf8)]) == [.new])
    }

    @Test func `a reused inode with other birth and head is another file`() {
        var known = known(old, offset: 12)
        known.birthTime = 1
        known.head = HeadFingerprint(of: Array("id,other\n".utf8))
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: text], birthTime: 2) == [.rewritten(known)])
    }

    @Test func `a known file is matched once`() {
        let known = known(old, offset: 12)
        let third = FileKey(device: 1, inode: 12)
        var machine = machine(known: [known])
        machine.see([(new, "/b"), (third, "/c")])
        let verdicts = machine.verdicts([new: text, third: text])
        #expect(verdicts.filter { $0 == .renamed(known) }.count == 1)
        #expect(verdicts.filter { $0 == .new }.count == 1)
    }
}

// MARK: - While running

extension DiscoveryStateMachineTests {
    @Test func `an atomic save goes on in the new inode, and the old one is not drained`() {
        var machine = machine()
        machine.see([(old, "/a")])
        _ = machine.verdicts([old: text])
        let known = known(old, offset: 16)
        machine.see([(new, "/a")]) { _, key in key == old ? known : nil }
        let events = machine.run([new: text + Array("4,d\n".utf8)])
        #expect(events == ["found /a renamed from 16"])
    }

    @Test func `a file that leaves is told to have moved or gone`() {
        var machine = machine()
        machine.see([(old, "/a"), (new, "/b")])
        _ = machine.run([old: text, new: text])
        machine.see([], strays: [old: "/old/a"])
        #expect(machine.run([:]).sorted() == ["moved 10 to /old/a", "removed 11"])
        machine.see([])
        #expect(machine.run([:]) == [])
    }

    @Test func `a cascade keeps every file's state with its inode`() {
        var machine = machine()
        let third = FileKey(device: 1, inode: 12)
        machine.see([(new, "/a.1"), (old, "/a")])
        _ = machine.run([old: text, new: text])
        machine.see([(new, "/a.2"), (old, "/a.1"), (third, "/a")])
        let events = machine.run([third: []]).sorted()
        #expect(events == ["found /a new", "renamed 10 to /a.1", "renamed 11 to /a.2"])
    }

    @Test func `a second name of a file changes nothing`() {
        var machine = machine()
        machine.see([(old, "/b")])
        _ = machine.run([old: text])
        machine.see([(old, "/a"), (old, "/b")])
        #expect(machine.run([:]) == [])
        machine.see([(old, "/a")])
        #expect(machine.run([:]) == ["renamed 10 to /a"])
    }

    @Test func `a file that went and comes back is not read again`() {
        var machine = machine()
        machine.see([(old, "/a")])
        _ = machine.run([old: text])
        machine.see([])
        _ = machine.run([:])
        machine.forget(0, old, as: known(old, offset: 20))
        machine.see([(old, "/a")])
        #expect(machine.run([old: text]) == ["found /a resume at 20"])
    }

    @Test func `only files of the first round begin at the end`() {
        var machine = DiscoveryStateMachine(starts: [.end], known: [[]])
        machine.see([(old, "/a")])
        #expect(machine.positions([old: text]) == [20])
        machine.finishRound()
        machine.see([(old, "/a"), (new, "/b")])
        #expect(machine.positions([new: text]) == [0])
    }

    @Test func `a file that could not be opened is asked for again`() {
        var machine = machine()
        machine.see([(old, "/a")])
        #expect(machine.run([:]) == [])
        #expect(machine.hasUnexamined)
        machine.see([(old, "/a")])
        #expect(machine.run([old: text]) == ["found /a new"])
        #expect(!machine.hasUnexamined)
    }
}

// MARK: - Helpers

extension DiscoveryStateMachineTests {
    private func machine(known: [KnownFile] = []) -> DiscoveryStateMachine {
        DiscoveryStateMachine(starts: [.beginning], known: [known])
    }

    private func known(_ key: FileKey, offset: Int, path: String = "/a") -> KnownFile {
        KnownFile(
            id: 7,
            key: key,
            path: path,
            head: HeadFingerprint(of: text.prefix(offset)),
            position: TailPosition(offset: Int64(offset), guardBytes: Array(text.prefix(offset)))
        )
    }
}

extension DiscoveryStateMachine {
    fileprivate mutating func see(
        _ files: [(FileKey, String)],
        strays: [FileKey: String] = [:],
        knowing: (Int, FileKey) -> KnownFile? = { _, _ in nil }
    ) {
        let sightings = files.map { Sighting(set: 0, key: $0.0, path: $0.1) }
        sighted(sightings, strays: strays, knowing: knowing)
    }

    fileprivate mutating func found(
        _ disk: [FileKey: [UInt8]],
        birthTime: Int64? = nil
    ) -> [WatchEvent] {
        var events: [WatchEvent] = []
        while let action = nextAction() {
            switch action {
            case .report(let event): events.append(event)
            case .examine(let sighting):
                guard let bytes = disk[sighting.key] else {
                    examinationFailed(sighting)
                    continue
                }
                examine(sighting, bytes, birthTime)
            }
        }
        return events
    }

    private mutating func examine(_ sighting: Sighting, _ bytes: [UInt8], _ birthTime: Int64?) {
        let evidence = FileEvidence(
            key: sighting.key,
            size: Int64(bytes.count),
            birthTime: birthTime,
            head: Array(bytes.prefix(HeadFingerprint.fullLength))
        )
        var guards: [Int64: [UInt8]] = [:]
        for offset in guardOffsets(for: evidence, in: sighting.set) {
            guards[offset] = Array(bytes.prefix(Int(offset)).suffix(TailPosition.guardLength))
        }
        examined(sighting, evidence, guards: guards)
    }

    fileprivate mutating func verdicts(
        _ disk: [FileKey: [UInt8]],
        birthTime: Int64? = nil
    ) -> [FileVerdict] {
        found(disk, birthTime: birthTime).compactMap {
            if case .found(_, let file) = $0 { file.verdict } else { nil }
        }
    }

    fileprivate mutating func positions(_ disk: [FileKey: [UInt8]]) -> [Int64] {
        found(disk).compactMap {
            if case .found(_, let file) = $0 { file.position.offset } else { nil }
        }
    }

    fileprivate mutating func run(_ disk: [FileKey: [UInt8]]) -> [String] {
        found(disk).map(\.text)
    }
}

extension WatchEvent {
    fileprivate var text: String {
        switch self {
        case .found(_, let file): "found \(file.path) \(file.verdict.text)"
        case .changed(let key): "changed \(key.inode)"
        case .renamed(_, let key, let path): "renamed \(key.inode) to \(path)"
        case .moved(_, let key, let path): "moved \(key.inode) to \(path ?? "?")"
        case .removed(_, let key): "removed \(key.inode)"
        case .problem(let problem): "\(problem)"
        }
    }
}

extension FileVerdict {
    fileprivate var text: String {
        switch self {
        case .new: "new"
        case .resume(let known): "resume at \(known.position.offset)"
        case .rewritten: "rewritten"
        case .renamed(let known): "renamed from \(known.position.offset)"
        }
    }
}
