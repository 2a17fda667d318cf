import RecordProcessing

/// A pipeline to begin with, for whoever has no sample at hand.
package struct StarterPipeline: Sendable {
    package let text: String

    package init(name: String) {
        let topic = PipelineDraft(name: name, path: "", format: "text").topic
        text = """
            # \(name.onOneLine): what it reads, and what becomes of it.
            #
            # Change it line by line; then: forktail check, forktail test, forktail try FILE.

            # Where the bytes come from; a relative path is relative to this file.
            from "/var/log/\(topic)/*.log"

            # How a line becomes fields. There are also csv(header: true), regex('…') with named groups,
            # logfmt, text, and formats of well-known programs such as nginx_combined and syslog.
            parse json {
              time:    time(iso8601)
              level:   enum("debug", "info", "warn", "error")
              message: string
              user:    string?    # ? = may have no value
            }

            # Steps, in the order in which they run.
            drop "debug" if level == "debug"
            set host = @host

            # The Kafka record.
            send {
              topic     = "\(topic)"
              key       = user ?? @host
              timestamp = time
              headers {
                level = level
              }
              value     = json(*)
            }

            # What happens to a record that cannot be parsed, computed or sent.
            on error dead_letter "\(topic).dead"

            # Examples that must hold, on the content of a file.
            test "a debug line is dropped, and what is not JSON is kept aside" {
              given { @host = "web-1" }
              input '''
                {"time":"2026-11-23T10:00:00Z","level":"info","message":"added","user":"ada"}
                {"time":"2026-11-23T10:00:01Z","level":"debug","message":"noise"}
                not json
                '''
              expect {
                topic = "\(topic)"
                key   = "ada"
                value has { level: "info", message: "added", host: "web-1" }
              }
              expect drop "debug"
              expect dead_letter "not JSON"
            }

            """
    }
}
