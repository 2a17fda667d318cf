/// What changed between two texts, as `diff -u` shows it and `patch` takes it.
package struct UnifiedDiff {
    /// Unchanged lines around each change.
    private static let context = 3

    private enum Kind: UInt8 {
        case kept = 0x20
        case removed = 0x2D
        case added = 0x2B
    }

    private typealias Line = (kind: Kind, text: ArraySlice<UInt8>)

    /// The difference, or an empty text if there is none.
    ///
    /// - Parameter path: the name of the old text; the new one has it as well.
    package static func text(from old: [UInt8], to new: [UInt8], path: String) -> String {
        let lines = script(from: Self.lines(of: old), to: Self.lines(of: new))
        let hunks = hunks(of: lines)
        guard !hunks.isEmpty else { return "" }
        return "--- \(path)\n+++ \(path)\n" + hunks.map { text(of: $0, in: lines) }.joined()
    }

    /// Lines with their ends.
    private static func lines(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == 0x0A {
            lines.append(bytes[start...index])
            start = index + 1
        }
        if start < bytes.count { lines.append(bytes[start...]) }
        return lines
    }

    private static func script(
        from old: [ArraySlice<UInt8>],
        to new: [ArraySlice<UInt8>]
    ) -> [Line] {
        let difference = new.difference(from: old)
        let removed = Set(difference.removals.map(\.offset))
        let added = Set(difference.insertions.map(\.offset))
        var script: [Line] = []
        var index = 0
        for (offset, line) in old.enumerated() {
            if removed.contains(offset) {
                script.append((.removed, line))
                continue
            }
            while added.contains(index) {
                script.append((.added, new[index]))
                index += 1
            }
            script.append((.kept, line))
            index += 1
        }
        return script + new[index...].map { (.added, $0) }
    }

    /// Ranges of lines with changes that are close to one another.
    private static func hunks(of lines: [Line]) -> [Range<Int>] {
        var hunks: [Range<Int>] = []
        for index in lines.indices where lines[index].kind != .kept {
            let end = min(lines.count, index + context + 1)
            if let last = hunks.last, index - context <= last.upperBound {
                hunks[hunks.count - 1] = last.lowerBound..<end
            } else {
                hunks.append(max(0, index - context)..<end)
            }
        }
        return hunks
    }

    private static func text(of hunk: Range<Int>, in lines: [Line]) -> String {
        let old = place(of: hunk, in: lines, without: .added)
        let new = place(of: hunk, in: lines, without: .removed)
        var bytes = Array("@@ -\(old) +\(new) @@\n".utf8)
        for line in lines[hunk] {
            bytes.append(line.kind.rawValue)
            bytes += line.text
            if line.text.last != 0x0A { bytes += Array("\n\\ No newline at end of file\n".utf8) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `start,count` of a hunk in one of the texts.
    private static func place(of hunk: Range<Int>, in lines: [Line], without kind: Kind) -> String {
        let before = lines[..<hunk.lowerBound].count { $0.kind != kind }
        let count = lines[hunk].count { $0.kind != kind }
        return "\(count == 0 ? before : before + 1),\(count)"
    }
}

extension CollectionDifference.Change {
    fileprivate var offset: Int {
        switch self {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }
}
