/// Pipelines as boxes and arrows; a topic that several of them write to is one box.
package struct FlowChart: Sendable {
    enum Shape: Sendable {
        case files, step, choice, end, topic
    }

    struct Node: Sendable {
        var label: String
        var shape: Shape
    }

    struct Edge: Sendable {
        var from: Int
        var to: Int
        var label: String?
    }

    /// Where the next box hangs: after a box, by an arrow with a label.
    private struct Loose {
        var node: Int
        var label: String?
    }

    private(set) var nodes: [Node] = []
    private(set) var edges: [Edge] = []
    private var topics: [String: Int] = [:]

    package init(_ outlines: [PipelineOutline]) {
        for outline in outlines { add(outline) }
    }

    private mutating func add(_ outline: PipelineOutline) {
        let files = append(outline.globs.joined(separator: "\n"), .files)
        let title = append("\(outline.name)\nparse \(outline.format)", .step)
        edges.append(Edge(from: files, to: title))
        _ = add(outline.items, after: [Loose(node: title)])
        let failed = [Loose(node: title, label: "on error")]
        switch outline.errorPolicy {
        case .deadLetter(let topics): send(to: topics, after: failed, label: "dead letter")
        case .stop: connect(failed, to: append("the file stops", .end))
        case .skip: connect(failed, to: append("skipped", .end))
        case .steps(let items): _ = add(items, after: failed)
        }
    }

    /// Returns what is loose behind the last of the items.
    private mutating func add(
        _ items: [PipelineOutline.Item],
        after start: [Loose]
    ) -> [Loose] {
        var loose = start
        var changes: [String] = []
        for item in items {
            if case .change(let text) = item {
                changes.append(text)
                continue
            }
            loose = flush(&changes, after: loose)
            loose = add(item, after: loose)
        }
        return flush(&changes, after: loose)
    }

    /// Steps that change the record stand in one box.
    private mutating func flush(_ changes: inout [String], after loose: [Loose]) -> [Loose] {
        guard !changes.isEmpty else { return loose }
        let node = append(changes.joined(separator: "\n"), .step)
        changes = []
        connect(loose, to: node)
        return [Loose(node: node)]
    }

    private mutating func add(_ item: PipelineOutline.Item, after loose: [Loose]) -> [Loose] {
        switch item {
        case .change: return loose
        case .drop(let reason, let condition):
            return end("drop \"\(reason)\"", condition, after: loose)
        case .reject(let reason, let condition):
            return end("reject \"\(reason)\"", condition, after: loose)
        case .send(let topics, _):
            let node = append("send", .step)
            connect(loose, to: node)
            send(to: topics, after: [Loose(node: node)])
            return [Loose(node: node)]
        case .branch(let branches, let otherwise):
            var ends: [Loose] = []
            var rest = loose
            for branch in branches {
                let node = append("if \(branch.condition)", .choice)
                connect(rest, to: node)
                ends += add(branch.items, after: [Loose(node: node, label: "yes")])
                rest = [Loose(node: node, label: "no")]
            }
            return ends + add(otherwise, after: rest)
        }
    }

    private mutating func end(
        _ label: String,
        _ condition: String?,
        after loose: [Loose]
    ) -> [Loose] {
        let node = append(label, .end)
        guard let condition else {
            connect(loose, to: node)
            return []
        }
        let choice = append("if \(condition)", .choice)
        connect(loose, to: choice)
        edges.append(Edge(from: choice, to: node, label: "yes"))
        return [Loose(node: choice, label: "no")]
    }

    private mutating func send(
        to topics: PipelineOutline.Topics,
        after loose: [Loose],
        label: String? = nil
    ) {
        for name in topics.names {
            let name = name + (topics.cluster.map { "\nin \($0)" } ?? "")
            let node = self.topics[name] ?? append(name, .topic)
            self.topics[name] = node
            for end in loose {
                edges.append(Edge(from: end.node, to: node, label: label ?? end.label))
            }
        }
    }

    private mutating func connect(_ loose: [Loose], to node: Int) {
        for end in loose { edges.append(Edge(from: end.node, to: node, label: end.label)) }
    }

    private mutating func append(_ label: String, _ shape: Shape) -> Int {
        nodes.append(Node(label: label, shape: shape))
        return nodes.count - 1
    }
}

// MARK: - Notations

extension FlowChart {
    /// For Markdown that draws Mermaid.
    package var mermaid: String {
        var lines = ["flowchart LR"]
        for (index, node) in nodes.enumerated() {
            let label = "\"\(labelLines(node.label).map(mermaidText).joined(separator: "<br/>"))\""
            let box =
                switch node.shape {
                case .files: "[/\(label)/]"
                case .step: "[\(label)]"
                case .choice: "{\(label)}"
                case .end: "([\(label)])"
                case .topic: "[(\(label))]"
                }
            lines.append("  n\(index)\(box)")
        }
        for edge in edges {
            let label = edge.label.map { "|\"\(mermaidText($0))\"|" } ?? ""
            lines.append("  n\(edge.from) -->\(label) n\(edge.to)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// For Graphviz.
    package var dot: String {
        var lines = ["digraph pipelines {", "  rankdir=LR;", "  node [fontname=\"sans-serif\"];"]
        for (index, node) in nodes.enumerated() {
            let shape =
                switch node.shape {
                case .files: "note"
                case .step: "box"
                case .choice: "diamond"
                case .end: "ellipse"
                case .topic: "cylinder"
                }
            let label = labelLines(node.label).map(dotText).joined(separator: "\\n")
            lines.append("  n\(index) [shape=\(shape), label=\"\(label)\"];")
        }
        for edge in edges {
            let label = edge.label.map { " [label=\"\(dotText($0))\"]" } ?? ""
            lines.append("  n\(edge.from) -> n\(edge.to)\(label);")
        }
        return (lines + ["}"]).joined(separator: "\n") + "\n"
    }

    private static let labelWidth = 60

    private func labelLines(_ label: String) -> [String] {
        label.split(separator: "\n").map { line in
            line.count > Self.labelWidth ? line.prefix(Self.labelWidth - 1) + "…" : String(line)
        }
    }

    /// Mermaid takes HTML's entities, with `#` for `&`.
    private func mermaidText(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "#", "&", "<", ">", "|", "`", "\\", "{", "}", "[", "]", "(", ")":
                out += "#\(scalar.value);"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    private func dotText(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
