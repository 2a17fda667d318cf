import PipelineLanguage
import Testing

@testable import PipelineTools

/// What `forktail graph` shows.
struct GraphTests {
    private func outline(_ steps: String, policy: String = "on error stop") throws
        -> PipelineOutline
    {
        let text = """
            from "/var/log/a*.csv", "/var/log/b.csv" { exclude = "/var/log/ab.csv" }
            parse csv(header: true) {
              id:     int
              region: enum("eu", "us")
              kind:   string
            }
            \(steps)
            \(policy)
            """
        let source = SourceText(path: "shop/orders.pipeline", text: text)
        var context = PipelineContext()
        context.clusters = ["archive"]
        let (plan, diagnostics) = PipelineCompiler.compile(source, in: context)
        let shown = DiagnosticRenderer(source: source).text(diagnostics)
        return PipelineOutline(plan: try #require(plan, "\(shown)"))
    }

    private let steps = """
        drop "test" if kind == "test"
        let short = lower(kind)
        set kind = match {
          short == "x" => "y"
          else         => short
        }
        if region == "eu" {
          send { topic = "orders.${region}"  key = id  value = json(*) }
        } else if id > 7 {
          send { topic = "kind.${kind}"  value = json(*) }
        } else {
          reject "small"
        }
        """

    @Test func `a topic of another cluster is another topic, with the cluster's name`() throws {
        let outline = try outline(
            """
            send { topic = "t"  key = id  value = @raw }
            send to archive { topic = "t"  value = @raw }
            """
        )
        let lines = OutlineText.text(of: [outline]).split(separator: "\n")
        #expect(lines.contains("  send → t  key id"))
        #expect(lines.contains("  send → t in archive  no key"))
        let json = OutlineText.json(of: [outline])
        #expect(json.contains(#""topics":["t"],"exact":true,"key":"id""#))
        #expect(json.contains(#""topics":["t"],"exact":true,"cluster":"archive","key":null"#))
        let chart = FlowChart([outline]).mermaid
        #expect(chart.contains("[(\"t\")]"))
        #expect(chart.contains("[(\"t<br/>in archive\")]"))
    }

    @Test func `a terminal shows files, steps and topics in their order`() throws {
        let text = OutlineText.text(of: [
            try outline(steps, policy: "on error dead_letter \"dead\"")
        ])
        #expect(
            text == """
                orders  (shop/orders.pipeline)
                  from   /var/log/a*.csv
                         /var/log/b.csv
                    not  /var/log/ab.csv
                  parse  csv
                  drop "test" if kind == "test"
                  let short = lower(kind)
                  set kind = match { short == "x" => "y" else         => short }
                  if region == "eu"
                    send → orders.eu  key id
                  else if id > 7
                    send → kind.*  no key
                  else
                    reject "small"
                  on error → dead  (dead letter)

                """
        )
    }

    @Test func `programs get one object with all of it`() throws {
        let json = OutlineText.json(of: [
            try outline(
                "if id > 1 { send { topic = \"t.${region}\"  value = \"a\" } } else { drop }"
            )
        ])
        #expect(
            json == #"{"pipelines":[{"name":"orders","file":"shop/orders.pipeline","#
                + #""from":["/var/log/a*.csv","/var/log/b.csv"],"exclude":["/var/log/ab.csv"],"#
                + #""format":"csv","steps":[{"kind":"if","branches":[{"condition":"id > 1","#
                + #""steps":[{"kind":"send","topics":["t.eu","t.us"],"exact":true,"key":null}]}],"#
                + #""else":[{"kind":"drop","reason":"dropped","condition":null}]}],"#
                + #""on_error":{"policy":"stop"}}]}"# + "\n"
        )
    }

    @Test func `Mermaid gets boxes, and no sign that it would take for its own`() throws {
        let chart = FlowChart([
            try outline(
                "drop \"a \\\"b\\\"\" if kind == \"x\"\nset kind = \"z\"\n"
                    + "send { topic = \"t\"  value = json(*) }",
                policy: "on error dead_letter \"t\""
            )
        ])
        #expect(
            chart.mermaid == """
                flowchart LR
                  n0[/"/var/log/a*.csv<br/>/var/log/b.csv"/]
                  n1["orders<br/>parse csv"]
                  n2(["drop #34;a #34;b#34;#34;"])
                  n3{"if kind == #34;x#34;"}
                  n4["set kind = #34;z#34;"]
                  n5["send"]
                  n6[("t")]
                  n0 --> n1
                  n1 --> n3
                  n3 -->|"yes"| n2
                  n3 -->|"no"| n4
                  n4 --> n5
                  n5 --> n6
                  n1 -->|"dead letter"| n6

                """
        )
    }

    @Test func `Graphviz gets the same boxes`() throws {
        let chart = FlowChart([
            try outline("if id > 1 { drop \"a\" }\nsend { topic = \"t\"  value = json(*) }")
        ])
        #expect(
            chart.dot == #"""
                digraph pipelines {
                  rankdir=LR;
                  node [fontname="sans-serif"];
                  n0 [shape=note, label="/var/log/a*.csv\n/var/log/b.csv"];
                  n1 [shape=box, label="orders\nparse csv"];
                  n2 [shape=diamond, label="if id > 1"];
                  n3 [shape=ellipse, label="drop \"a\""];
                  n4 [shape=box, label="send"];
                  n5 [shape=cylinder, label="t"];
                  n6 [shape=ellipse, label="the file stops"];
                  n0 -> n1;
                  n1 -> n2;
                  n2 -> n3 [label="yes"];
                  n2 -> n4 [label="no"];
                  n4 -> n5;
                  n1 -> n6 [label="on error"];
                }

                """#
        )
    }

    @Test func `pipelines that write to one topic meet there`() throws {
        let one = try outline("send { topic = \"t\"  value = json(*) }")
        let chart = FlowChart([one, one])
        #expect(chart.nodes.count { $0.shape == .topic } == 1)
        #expect(chart.edges.count { chart.nodes[$0.to].shape == .topic } == 2)
    }

    @Test func `many topics are counted, not listed`() throws {
        let values = (1...14).map { "\"v\($0)\"" }.joined(separator: ", ")
        let source = SourceText(
            path: "p.pipeline",
            text: """
                from "a"
                parse json { v: enum(\(values)) }
                send { topic = "t.${v}"  value = json(*) }
                on error skip
                """
        )
        let plan = try #require(PipelineCompiler.compile(source).plan)
        #expect(OutlineText.text(of: [PipelineOutline(plan: plan)]).contains("t.v12 and 2 more"))
    }
}
