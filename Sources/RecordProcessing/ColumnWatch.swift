/// Looks among the first records for optional columns that none of them has: their names are most
/// likely misspelt.
struct ColumnWatch {
    /// How many records are looked at.
    static let recordCount = 10_000

    /// Columns that no record had.
    private(set) var unseen: [Int]
    private var left: Int

    init(_ columns: [CompiledColumn]) {
        unseen = columns.indices.filter { columns[$0].isOptional }
        left = unseen.isEmpty ? 0 : Self.recordCount
    }

    var isWatching: Bool { left > 0 }

    /// Whether this was the last record, and some columns were in none.
    mutating func look(at record: Record) -> Bool {
        unseen.removeAll { slot in
            if case .missing = record.value(slot) { false } else { true }
        }
        left = unseen.isEmpty ? 0 : left - 1
        return left == 0 && !unseen.isEmpty
    }
}
