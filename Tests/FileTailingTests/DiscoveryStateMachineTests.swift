import Testing

@testable import FileTailing

struct DiscoveryStateMachineTests {
    private let old = FileKey(device: 1, inode: 10)
    private let new = FileKey(device: 1, inode: 11)
    private let text = Array("id,name\n1,a\n2,b\n3,c\n".utf8)

    @Test func `a file that nothing is known of is new and read from its start`() {
        var machine = machine()
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: text]) == [.new(replacing: nil)])
    }

    @Test func `the same inode with the same bytes before the place is resumed there`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: text]) == [.resumed(known)])
    }

    @Test func `a file that was renamed while nobody looked is resumed`() {
        let known = known(old, offset: 12, path: "/a")
        var machine = machine(known: [known])
        machine.see([(old, "/a.1"), (new, "/a")])
        let other = Array("another\n".utf8)
        let verdicts = machine.verdicts([old: text, new: other])
        #expect(verdicts.contains(.resumed(known)) && verdicts.contains(.new(replacing: nil)))
    }

    @Test func `the same inode with other bytes before the place was rewritten`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(
            machine.verdicts([old: Array("id,name\n9,z\n2,b\n".utf8)]) == [.new(replacing: known)]
        )
    }

    @Test func `the same inode with fewer bytes than the place was rewritten`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: Array(text.prefix(8))]) == [.new(replacing: known)])
    }

    @Test func `another inode with the same content is the same file if the old one is gone`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(new, "/a")])
        #expect(machine.verdicts([new: text]) == [.continued(known)])
    }

    @Test func `the old inode of a file may be an empty one by now that no pattern matches`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(new, "/b")], strays: [old: Stray(path: "/a.1", size: 0)])
        #expect(machine.verdicts([new: text, old: []], birthTime: 2) == [.continued(known)])
    }

    @Test func `two files with the same content are two files while both are there`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a"), (new, "/b")])
        #expect(machine.verdicts([old: text, new: text]) == [.resumed(known)])
        // One may be a copy of the other, which is about to be truncated.
        for time in [Duration.seconds(1), .seconds(4)] {
            machine.see([(old, "/a"), (new, "/b")], at: time) { _, key in key == old ? known : nil }
            let events = machine.run([old: text, new: text]) { _, key in key == old ? known : nil }
            #expect(events == (time < .seconds(3) ? [] : ["found /b new"]))
        }
    }

    @Test func `a copy goes on where its original was read to when that is truncated`() {
        let known = known(old, offset: 12)
        let knowing: (Int, FileKey) -> KnownFile? = { _, key in key == old ? known : nil }
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.run([old: text]) == ["found /a resumed at 12"])
        machine.see([(old, "/a"), (new, "/a.1")], knowing: knowing)
        #expect(machine.run([old: text, new: text], knowing: knowing) == [])
        machine.rewritten(0, old, as: known)
        machine.see([(old, "/a"), (new, "/a.1")])
        #expect(machine.run([old: [], new: text]) == ["found /a.1 continued from 12"])
    }

    @Test func `a copy that is shorter than what was read is read no further`() {
        let known = known(old, offset: 20)
        let knowing: (Int, FileKey) -> KnownFile? = { _, key in key == old ? known : nil }
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.run([old: text]) == ["found /a resumed at 20"])
        machine.see([(old, "/a"), (new, "/a.1")], knowing: knowing)
        #expect(machine.run([old: text, new: Array(text.prefix(16))], knowing: knowing) == [])
        machine.rewritten(0, old, as: known)
        machine.see([(old, "/a"), (new, "/a.1")])
        #expect(machine.positions([old: [], new: Array(text.prefix(16))]) == [16])
    }

    @Test func `a copy of bytes that nobody had read is new if others were read there`() {
        let unread = KnownFile(
            id: 7,
            key: old,
            path: "/a",
            head: HeadFingerprint(of: text.prefix(2)),
            position: .start
        )
        let copy = Array(text.prefix(8))
        let others = Array("0,x\n1,y\n2,z\n".utf8)
        let read = KnownFile(
            id: 7,
            key: old,
            path: "/a",
            head: HeadFingerprint(of: others),
            position: TailPosition(offset: 12, guardBytes: others)
        )
        var machine = machine(known: [unread])
        machine.see([(old, "/a")])
        #expect(machine.run([old: copy]) == ["found /a resumed at 0"])
        machine.see([(old, "/a"), (new, "/a.1")])
        let events = machine.run([old: copy, new: copy]) { _, key in key == old ? unread : nil }
        #expect(events == [])
        // Truncated and written again, unseen, then read.
        machine.rewritten(0, old, as: read)
        machine.see([(old, "/a"), (new, "/a.1")])
        #expect(machine.run([old: [], new: copy]) == ["found /a.1 new", "lost /a"])
    }

    @Test(arguments: [0, 12] as [Int64])
    func `a copy of bytes that its reader has seen is known, however far that gets meanwhile`(
        offset: Int64
    ) {
        let copy = Array(text.prefix(8))
        let unread = KnownFile(
            id: 7,
            key: old,
            path: "/a",
            head: HeadFingerprint(of: copy),
            position: .start
        )
        let read = KnownFile(
            id: 7,
            key: old,
            path: "/a",
            head: HeadFingerprint(of: text),
            position: TailPosition(offset: offset, guardBytes: Array(text.prefix(Int(offset))))
        )
        var machine = machine(known: [unread])
        machine.see([(old, "/a")])
        #expect(machine.run([old: copy]) == ["found /a resumed at 0"])
        machine.see([(old, "/a"), (new, "/a.1")])
        let events = machine.run([old: copy, new: copy]) { _, key in key == old ? unread : nil }
        #expect(events == [])
        machine.rewritten(0, old, as: read)
        machine.see([(old, "/a"), (new, "/a.1")])
        #expect(machine.run([old: [], new: copy]) == ["found /a.1 continued from \(offset)"])
    }

    @Test func `a rewritten file whose bytes are nowhere is lost, and what is there now is new`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.run([old: text]) == ["found /a resumed at 12"])
        machine.rewritten(0, old, as: known)
        machine.see([(old, "/a")])
        #expect(machine.run([old: Array("7,x\n".utf8)]) == ["found /a new", "lost /a"])
    }

    @Test func `a compressed copy of a file that is there is read on from where that is read`() {
        let known = known(old, offset: 20)
        let knowing: (Int, FileKey) -> KnownFile? = { _, key in key == old ? known : nil }
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.run([old: text]) == ["found /a resumed at 20"])
        machine.see([(old, "/a"), (new, "/a.gz")], knowing: knowing)
        #expect(
            machine.run([old: text, new: text], compressed: [new], knowing: knowing)
                == ["found /a.gz copied from 20"]
        )
    }

    @Test func `a header in common makes two files of different rows no relatives`() {
        let known = known(old, offset: 12)
        var machine = machine(known: [known])
        machine.see([(new, "/b")])
        #expect(
            machine.verdicts([new: Array("id,name\n7,x\n8,y\n".utf8)]) == [.new(replacing: nil)]
        )
    }

    @Test func `a reused inode with other birth and head is another file`() {
        var known = known(old, offset: 12)
        known.birthTime = 1
        known.head = HeadFingerprint(of: Array("id,other\n".utf8))
        var machine = machine(known: [known])
        machine.see([(old, "/a")])
        #expect(machine.verdicts([old: text], birthTime: 2) == [.new(replacing: nil)])
    }

    @Test func `a known file is matched once`() {
        let known = known(old, offset: 12)
        let third = FileKey(device: 1, inode: 12)
        var machine = machine(known: [known])
        machine.see([(new, "/b"), (third, "/c")])
        let verdicts = machine.verdicts([new: text, third: text])
        #expect(verdicts.filter { $0 == .continued(known) }.count == 1)
        #expect(verdicts.filter { $0 == .new(replacing: nil) }.count == 1)
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
        #expect(events == ["found /a continued from 16"])
    }

    @Test func `a file that leaves is told to have moved or gone`() {
        var machine = machine()
        machine.see([(old, "/a"), (new, "/b")])
        _ = machine.run([old: text, new: text])
        machine.see([], strays: [old: Stray(path: "/old/a", size: 20)])
        #expect(machine.run([:]).sorted() == ["moved 10 to /old/a", "removed 11"])
        machine.see([], strays: [old: Stray(path: "/old/a", size: 20)])
        #expect(machine.run([:]) == [])
        machine.see([], strays: [old: Stray(path: "/old/b", size: 20)])
        #expect(machine.run([:]) == ["moved 10 to /old/b"])
        machine.see([])
        #expect(machine.run([:]) == ["removed 10"])
    }

    @Test func `a cascade keeps every file's state with its inode`() {
        var machine = machine()
        let third = FileKey(device: 1, inode: 12)
        machine.see([(new, "/a.1"), (old, "/a")])
        _ = machine.run([old: text, new: text])
        machine.see([(new, "/a.2"), (old, "/a.1"), (third, "/a")])
        let events = machine.run([third: [0x41]]).sorted()
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
        #expect(machine.run([old: text]) == ["found /a resumed at 20"])
    }

    @Test func `a file that went and whose inode comes back with another birth is another file`() {
        var machine = machine()
        machine.see([(old, "/a")])
        _ = machine.run([old: text], birthTime: 1)
        var known = known(old, offset: 0)
        known.birthTime = 1
        machine.see([])
        #expect(machine.run([:]) == ["removed 10"])
        machine.see([(old, "/a")]) { [known] _, _ in known }
        #expect(machine.run([old: text], birthTime: 2) == ["rewritten 10"])
        machine.see([(old, "/a")])
        #expect(machine.run([old: [0x41]], birthTime: 2) == ["found /a new", "lost /a"])
    }

    @Test(arguments: [false, true])
    func `a file with another name and its birth is the same`(isMissedOnce: Bool) {
        let known = known(old, offset: 0)
        var machine = machine()
        machine.see([(old, "/a")])
        _ = machine.run([old: text], birthTime: 1)
        if isMissedOnce {
            machine.see([])
            _ = machine.run([:])
        }
        machine.see([(old, "/b")]) { _, _ in known }
        #expect(machine.run([old: text], birthTime: 1) == ["renamed 10 to /b"])
    }

    @Test func `a name that leads to an inode with another birth is no rename`() {
        var known = known(old, offset: 12)
        known.birthTime = 1
        var machine = machine()
        machine.see([(old, "/a")])
        _ = machine.run([old: text], birthTime: 1)
        machine.see([(old, "/b")]) { [known] _, _ in known }
        #expect(machine.run([old: text], birthTime: 2) == ["rewritten 10"])
    }

    @Test func `a copy that was opened before its original was seen to be rewritten is known`() {
        let known = known(old, offset: 12)
        let third = FileKey(device: 1, inode: 12)
        let disk = [old: Array("other\n".utf8), new: text, third: Array("another\n".utf8)]
        var machine = machine()
        machine.see([(old, "/a")])
        _ = machine.run([old: text])
        machine.see([(old, "/a"), (third, "/b"), (new, "/z")]) { _, _ in known }
        #expect(
            machine.run(disk, knowing: { _, key in key == old ? known : nil }) == ["rewritten 10"]
        )
        machine.see([(old, "/a"), (third, "/b"), (new, "/z")])
        let events = machine.run(disk)
        #expect(events.contains("found /z continued from 12"))
        #expect(!events.contains("found /z new"))
    }

    @Test func `a copy of a file whose first bytes are in work goes on with it`() {
        let known = KnownFile(
            id: 7,
            key: old,
            path: "/a",
            head: HeadFingerprint(of: text),
            position: .start
        )
        let disk = [old: Array("other\n".utf8), new: text]
        var machine = machine()
        machine.see([(old, "/a")])
        _ = machine.run([old: text])
        machine.see([(old, "/a"), (new, "/b")]) { _, _ in known }
        #expect(
            machine.run(disk, knowing: { _, key in key == old ? known : nil }) == ["rewritten 10"]
        )
        machine.see([(old, "/a"), (new, "/b")])
        #expect(machine.run(disk).sorted() == ["found /a new", "found /b continued from 0"])
    }

    @Test func `only files of the first round begin at the end`() {
        var machine = DiscoveryStateMachine(
            sets: [WatchSet(patterns: [], start: .end)],
            known: [[]]
        )
        machine.see([(old, "/a")])
        #expect(machine.positions([old: text]) == [20])
        _ = machine.finishRound(sawAll: true)
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
        DiscoveryStateMachine(sets: [WatchSet(patterns: [])], known: [known])
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
        strays: [FileKey: Stray] = [:],
        at time: Duration = .zero,
        knowing: (Int, FileKey) -> KnownFile? = { _, _ in nil }
    ) {
        let sightings = files.map { Sighting(set: 0, key: $0.0, path: $0.1) }
        sighted(
            sightings,
            strays: strays,
            now: origin + time,
            wallClock: 1_000_000_000 + Int64(time / .nanoseconds(1)),
            knowing: knowing
        )
    }

    fileprivate mutating func found(
        _ disk: [FileKey: [UInt8]],
        birthTime: Int64? = nil,
        compressed: Set<FileKey> = [],
        knowing: (Int, FileKey) -> KnownFile? = { _, _ in nil }
    ) -> [WatchEvent] {
        var events: [WatchEvent] = []
        while let action = nextAction(knowing: knowing) {
            switch action {
            case .compare(let comparison): compare(comparison, disk, knowing)
            case .report(let found): events += found
            case .examine(let sighting):
                guard let bytes = disk[sighting.key] else {
                    examinationFailed(sighting)
                    continue
                }
                examine(sighting, bytes, birthTime, compressed.contains(sighting.key))
            }
        }
        return events
    }

    private mutating func examine(
        _ sighting: Sighting,
        _ bytes: [UInt8],
        _ birthTime: Int64?,
        _ isCompressed: Bool
    ) {
        let evidence = FileEvidence(
            key: sighting.key,
            size: Int64(bytes.count),
            birthTime: birthTime,
            head: Array(bytes.prefix(HeadFingerprint.fullLength)),
            isCompressed: isCompressed
        )
        var guards: [Int64: [UInt8]] = [:]
        for offset in opened(sighting, evidence) {
            guards[offset] = bytes.guardBytes(before: offset)
        }
        examined(guards: guards)
    }

    private mutating func compare(
        _ comparison: Comparison,
        _ disk: [FileKey: [UInt8]],
        _ knowing: (Int, FileKey) -> KnownFile?
    ) {
        let known = knowing(comparison.set, comparison.key)
        guard let bytes = disk[comparison.key] else {
            return compared(comparison, nil, guards: [:], known: known)
        }
        let evidence = FileEvidence(
            key: comparison.key,
            size: Int64(bytes.count),
            head: Array(bytes.prefix(HeadFingerprint.fullLength))
        )
        var guards: [Int64: [UInt8]] = [:]
        for offset in comparison.offsets { guards[offset] = bytes.guardBytes(before: offset) }
        let copy = comparison.compressedCopy.flatMap { disk[$0.key] }
        compared(
            comparison,
            evidence,
            guards: guards,
            known: known,
            copyGuard: known.flatMap { copy?.guardBytes(before: $0.position.offset) }
        )
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

    fileprivate mutating func run(
        _ disk: [FileKey: [UInt8]],
        birthTime: Int64? = nil,
        compressed: Set<FileKey> = [],
        knowing: (Int, FileKey) -> KnownFile? = { _, _ in nil }
    ) -> [String] {
        let events = found(
            disk,
            birthTime: birthTime,
            compressed: compressed,
            knowing: knowing
        )
        return (events + finishRound(sawAll: true)).map(\.text)
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
        case .rewritten(_, let key): "rewritten \(key.inode)"
        case .lost(_, let known): "lost \(known.path)"
        case .problem(let problem): "\(problem)"
        }
    }
}

extension FileVerdict {
    fileprivate var text: String {
        switch self {
        case .new: "new"
        case .resumed(let known): "resumed at \(known.position.offset)"
        case .continued(let known): "continued from \(known.position.offset)"
        case .copied(let known): "copied from \(known.position.offset)"
        }
    }
}

extension [UInt8] {
    fileprivate func guardBytes(before offset: Int64) -> [UInt8] {
        Array(prefix(Int(offset)).suffix(TailPosition.guardLength))
    }
}

private let origin = ContinuousClock.now
