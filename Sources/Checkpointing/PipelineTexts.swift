/// The texts of pipelines that rows name, or may name.
///
/// A text stays as long as the process runs: lines beyond a checkpoint may need it once more even
/// when the last row that named it has gone. What nobody names is deleted at the next start.
struct PipelineTexts: Sendable {
    private var texts: [Int64: PipelineText] = [:]
    private var highest: Int64 = 0
    private var written: Set<Int64> = []
    private var added: Set<Int64> = []
    private var removed: Set<Int64> = []

    init(_ journal: Journal) {
        let named = Set(journal.batches.flatMap(\.stretches).map(\.pipelineVersion))
        highest = named.max() ?? 0
        for text in journal.texts {
            texts[text.version] = text
            highest = max(highest, text.version)
            written.insert(text.version)
            if !named.contains(text.version) { removed.insert(text.version) }
        }
    }

    var isChanged: Bool { !added.isEmpty || !removed.isEmpty }

    mutating func version(of name: String, path: String, text: String) -> Int64 {
        let known = texts.values.first { $0.name == name && $0.path == path && $0.text == text }
        if let known { return known.version }
        highest += 1
        texts[highest] = PipelineText(version: highest, name: name, path: path, text: text)
        return highest
    }

    /// Tells that a row names it.
    mutating func name(_ version: Int64) {
        guard texts[version] != nil else { return }
        removed.remove(version)
        if written.insert(version).inserted { added.insert(version) }
    }

    mutating func takeChanges() -> (added: [PipelineText], removed: [Int64]) {
        defer {
            written.subtract(removed)
            added.removeAll()
            removed.removeAll()
        }
        return (added.sorted().compactMap { texts[$0] }, removed.sorted())
    }
}
