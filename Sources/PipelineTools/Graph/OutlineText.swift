internal import PipelineLanguage

/// Outlines for a terminal and for programs.
package enum OutlineText {
    /// One block a pipeline, one line a step.
    package static func text(of outlines: [PipelineOutline]) -> String {
        outlines.map(text).joined(separator: "\n")
    }

    private static func text(of outline: PipelineOutline) -> String {
        var lines = ["\(outline.name)  (\(outline.path))"]
        for (index, glob) in outline.globs.enumerated() {
            lines.append("  \(index == 0 ? "from " : "     ")  \(glob)")
        }
        for glob in outline.excluded { lines.append("    not  \(glob)") }
        lines.append("  parse  \(outline.format)")
        lines += outline.items.flatMap { text(of: $0, indent: "  ") }
        switch outline.errorPolicy {
        case .deadLetter(let topics): lines.append("  on error → \(topics.shown)  (dead letter)")
        case .stop: lines.append("  on error the file stops")
        case .skip: lines.append("  on error the record is skipped")
        case .steps(let items):
            lines.append("  on error")
            lines += items.flatMap { text(of: $0, indent: "    ") }
        }
        return lines.map { shortened($0) + "\n" }.joined()
    }

    private static func text(of item: PipelineOutline.Item, indent: String) -> [String] {
        switch item {
        case .change(let text): return [indent + text]
        case .drop(let reason, let condition):
            return ["\(indent)drop \"\(reason)\"\(condition.map { " if \($0)" } ?? "")"]
        case .reject(let reason, let condition):
            return ["\(indent)reject \"\(reason)\"\(condition.map { " if \($0)" } ?? "")"]
        case .send(let topics, let key):
            return ["\(indent)send → \(topics.shown)  \(key.map { "key \($0)" } ?? "no key")"]
        case .branch(let branches, let otherwise):
            var lines: [String] = []
            for (index, branch) in branches.enumerated() {
                lines.append("\(indent)\(index == 0 ? "if" : "else if") \(branch.condition)")
                lines += branch.items.flatMap { text(of: $0, indent: indent + "  ") }
            }
            guard !otherwise.isEmpty else { return lines }
            return lines + ["\(indent)else"]
                + otherwise.flatMap { text(of: $0, indent: indent + "  ") }
        }
    }

    /// Topics may be many; a step need not be read to its end.
    private static func shortened(_ line: String) -> String {
        line.contains("→") || line.count <= 110 ? line : line.prefix(109) + "…"
    }

    // MARK: JSON

    /// One object with all pipelines.
    package static func json(of outlines: [PipelineOutline]) -> String {
        "{\"pipelines\":[\(outlines.map(json).joined(separator: ","))]}\n"
    }

    private static func json(of outline: PipelineOutline) -> String {
        let policy =
            switch outline.errorPolicy {
            case .deadLetter(let topics): "{\"policy\":\"dead_letter\",\(json(of: topics))}"
            case .stop: "{\"policy\":\"stop\"}"
            case .skip: "{\"policy\":\"skip\"}"
            case .steps(let items): "{\"policy\":\"steps\",\"steps\":\(json(of: items))}"
            }
        return "{\"name\":\(quotedAsJSON(outline.name)),\"file\":\(quotedAsJSON(outline.path)),"
            + "\"from\":\(quoted(outline.globs)),\"exclude\":\(quoted(outline.excluded)),"
            + "\"format\":\(quotedAsJSON(outline.format)),\"steps\":\(json(of: outline.items)),"
            + "\"on_error\":\(policy)}"
    }

    private static func json(of items: [PipelineOutline.Item]) -> String {
        "[\(items.map(json).joined(separator: ","))]"
    }

    private static func json(of item: PipelineOutline.Item) -> String {
        switch item {
        case .change(let text): "{\"kind\":\"change\",\"text\":\(quotedAsJSON(text))}"
        case .drop(let reason, let condition): ending("drop", reason, condition)
        case .reject(let reason, let condition): ending("reject", reason, condition)
        case .send(let topics, let key):
            "{\"kind\":\"send\",\(json(of: topics)),\"key\":\(key.map(quotedAsJSON) ?? "null")}"
        case .branch(let branches, let otherwise):
            "{\"kind\":\"if\",\"branches\":["
                + branches.map {
                    "{\"condition\":\(quotedAsJSON($0.condition)),\"steps\":\(json(of: $0.items))}"
                }.joined(separator: ",") + "],\"else\":\(json(of: otherwise))}"
        }
    }

    private static func ending(_ kind: String, _ reason: String, _ condition: String?) -> String {
        "{\"kind\":\"\(kind)\",\"reason\":\(quotedAsJSON(reason)),"
            + "\"condition\":\(condition.map(quotedAsJSON) ?? "null")}"
    }

    private static func json(of topics: PipelineOutline.Topics) -> String {
        "\"topics\":\(quoted(topics.names)),\"exact\":\(topics.isExact)"
            + (topics.cluster.map { ",\"cluster\":\(quotedAsJSON($0))" } ?? "")
    }

    private static func quoted(_ texts: [String]) -> String {
        "[\(texts.map(quotedAsJSON).joined(separator: ","))]"
    }
}
