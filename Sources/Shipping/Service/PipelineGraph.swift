internal import PipelineLanguage
internal import PipelineTools

/// `forktail graph`: files, steps and topics of pipelines.
package struct PipelineGraph {
    package enum Format: String, CaseIterable, Sendable {
        case text, mermaid, dot, json
    }

    private let outlines: [PipelineOutline]

    package init(pipelines: [LoadedPipeline]) {
        outlines = pipelines.map { PipelineOutline(plan: $0.plan) }
    }

    package func rendered(as format: Format) -> String {
        switch format {
        // Names and texts of files may hold anything.
        case .text: OutlineText.text(of: outlines).printableLines
        case .json: OutlineText.json(of: outlines)
        case .mermaid: FlowChart(outlines).mermaid
        case .dot: FlowChart(outlines).dot
        }
    }
}
