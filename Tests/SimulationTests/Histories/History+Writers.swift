import Checkpointing

@testable import FileTailing
@testable import Shipping

/// What writers and rotation do to the files.
extension History {
    func step() {
        disk.closeUnlinked(besides: [writer, oldWriter])
        switch Int.random(in: 0..<100, using: &generator) {
        case 57..<69 where isGentle: write()
        case 69..<75 where isGentle, 78..<81 where isGentle: kill()
        case 0..<40: write()
        case 40..<47: writePartial()
        case 47..<57: rotate()
        case 57..<61: truncate(keeping: 0)
        case 61..<63: truncate(keeping: Int.random(in: 0..<200, using: &generator))
        case 63..<69: copyTruncate()
        case 69..<73: recreate()
        case 73..<75: link()
        case 75..<78: newFile()
        case 78..<81: save()
        case 81..<85: disturb()
        case 85..<92: restart()
        case 92..<96: kill()
        default: pass(.seconds(Int.random(in: 1...12, using: &generator)))
        }
    }

    var active: String { folder + "/a.log" }

    func rotated(_ number: Int) -> String { "\(folder)/a.log.\(number)" }

    /// The file that the writer has open, made when there is none.
    func openWriter() -> SimulatedDisk.Inode {
        if let oldWriter { return oldWriter }
        if let writer, disk.names[active] === writer { return writer }
        let inode = disk.names[active] ?? disk.create(active)
        writer = inode
        return inode
    }

    func write() {
        let inode = openWriter()
        let count = Int.random(in: 1...8, using: &generator)
        note("write \(count) from \(lines.count) to inode \(inode.number)")
        for _ in 0..<count { completeLine(in: inode) }
        // A writer goes over to the new file sooner or later.
        if oldWriter != nil, Bool.random(using: &generator) { oldWriter = nil }
    }

    func completeLine(in inode: SimulatedDisk.Inode) {
        var bytes = Array(text(of: lines.count).utf8)
        if !partial.isEmpty {
            bytes = Array(bytes.dropFirst(partial.count))
            partial = []
        }
        var line = Line(stream: stream(of: inode))
        if !isReachable(inode) { line.destruction = .outOfReach }
        lines.append(line)
        disk.append(bytes, to: inode)
    }

    func writePartial() {
        // Half a line in a file that is over is a record, and rightly so.
        guard partial.isEmpty, oldWriter == nil else { return }
        let inode = openWriter()
        let bytes = Array(text(of: lines.count).utf8)
        partial = Array(bytes.prefix(Int.random(in: 1..<bytes.count, using: &generator)))
        note("write \(partial.count) bytes of \(lines.count) to inode \(inode.number)")
        disk.append(partial, to: inode)
    }

    func completeLine() {
        if !partial.isEmpty { completeLine(in: openWriter()) }
    }

    func text(of number: Int) -> String {
        "\(number);" + String(repeating: "x", count: number * 7 % 40) + ";\n"
    }

    func stream(of inode: SimulatedDisk.Inode) -> Int {
        if let stream = streams[ObjectIdentifier(inode)] { return stream }
        streamCount += 1
        streams[ObjectIdentifier(inode)] = streamCount
        kept.append(inode)
        return streamCount
    }

    func newStream(of inode: SimulatedDisk.Inode) {
        streams[ObjectIdentifier(inode)] = nil
    }

    func rotate() {
        completeLine()
        guard let inode = disk.names[active] else { return }
        note("rotate inode \(inode.number)")
        shift()
        vanishing { disk.rename(active, to: rotated(1)) }
        oldWriter = Bool.random(using: &generator) ? writer : nil
        if Bool.random(using: &generator) { writer = disk.create(active) }
    }

    /// Makes room for a new `a.log.1`.
    func shift() {
        vanishing { disk.unlink(rotated(rotatedCount)) }
        for number in (1..<rotatedCount).reversed() {
            disk.rename(rotated(number), to: rotated(number + 1))
        }
    }

    func truncate(keeping size: Int) {
        guard let inode = disk.names[active], oldWriter == nil else { return }
        note("truncate inode \(inode.number) from \(inode.content.count) to \(size)")
        // What stays is cut at a line, so that what follows is one as well.
        let whole = inode.content.prefix(size).lastIndex(of: 10).map { $0 + 1 } ?? 0
        if whole == inode.content.count { return }
        if !partial.isEmpty { completeLine() }
        vanishing(repeating: inode) { disk.truncate(inode, to: whole) }
        newStream(of: inode)
    }

    func copyTruncate() {
        completeLine()
        guard let inode = disk.names[active], oldWriter == nil, !inode.content.isEmpty else {
            return
        }
        shift()
        let isInGlob = Bool.random(using: &generator)
        let path = isInGlob ? rotated(1) : folderAside + "/a.log.1"
        note("copy inode \(inode.number) to \(path)")
        vanishing { disk.unlink(path) }
        let copy = disk.create(path)
        let pieces = Int.random(in: 1...3, using: &generator)
        for piece in 1...pieces {
            let end = inode.content.count * piece / pieces
            disk.append(Array(inode.content[copy.content.count..<end]), to: copy)
            if piece < pieces || Bool.random(using: &generator) {
                pass(.milliseconds(Int.random(in: 0...50, using: &generator)))
            }
        }
        if Int.random(in: 0..<4, using: &generator) == 0 { write() }
        // What the copy does not have may be read all the same.
        if shape.isExact, Bool.random(using: &generator) {
            pass(.milliseconds(Int.random(in: 0...50, using: &generator)))
        }
        note("truncate inode \(inode.number)")
        // Of a file of which no event is over, nothing says that the copy is what was sent: neither
        // now, nor to the next process if this one does not see it any more.
        let reading = process?.reading(of: inode.number)?.position.offset
        if shape.isExact, isInGlob, reading == 0 || checkpoint(of: inode) == 0 {
            for line in linesOf(copy) {
                lines[line].mayRepeat = true
                lines[line].isKept = true
            }
        }
        vanishing { disk.truncate(inode, to: 0) }
        newStream(of: inode)
    }

    private func checkpoint(of inode: SimulatedDisk.Inode) -> Int64? {
        store.rows.values.filter { self.inode(of: $0) === inode }
            .max { $0.id < $1.id }?.checkpoint.offset
    }

    func recreate() {
        completeLine()
        guard let inode = disk.names[active] else { return }
        note("delete inode \(inode.number) and create")
        oldWriter = nil
        vanishing { disk.unlink(active) }
        if Bool.random(using: &generator) { pass(.milliseconds(1)) }
        writer = disk.create(active)
        write()
    }

    func link() {
        guard let inode = disk.names[active] else { return }
        let path = folder + "/link.log"
        note("link \(path) to inode \(inode.number)")
        vanishing { disk.link(path, to: inode) }
    }

    func newFile() {
        others += 1
        let inode = disk.create("\(folder)/other\(others).log")
        note("create other\(others).log as inode \(inode.number) from \(lines.count)")
        if !partial.isEmpty { return }
        for _ in 0..<Int.random(in: 1...5, using: &generator) { completeLine(in: inode) }
    }

    /// As an editor does: a new file with the old content and more takes the name.
    func save() {
        completeLine()
        guard let inode = disk.names[active], oldWriter == nil, !inode.content.isEmpty else {
            return
        }
        let copy = disk.create(folder + "/.tmp")
        note("save inode \(inode.number) as \(copy.number)")
        disk.append(inode.content, to: copy)
        streams[ObjectIdentifier(copy)] = stream(of: inode)
        kept.append(copy)
        vanishing { disk.rename(folder + "/.tmp", to: active) }
        // Two files with equal lines are two files as long as both are there.
        // And of one that was truncated before, unseen, nobody can tell what became of it.
        let reading = process?.reading(of: inode.number)?.position
        let isKnown = reading.map { ($0.offset > 0 || isSeeing) && inode.content.holds($0) } ?? true
        // Nor of one that was rewritten while the rest of a line waited for Kafka.
        let sent = process?.headOfSentLine(of: inode.number)
        let isOther = sent.map { !$0.holds(for: inode.content) } ?? false
        if inode.links > 0 || !isKnown || isOther {
            for line in linesOf(inode) {
                lines[line].mayRepeat = true
                lines[line].isKept = true
            }
        }
        writer = copy
        write()
    }
}
