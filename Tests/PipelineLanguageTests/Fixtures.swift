/// Pipelines that use much of the language and must compile without a word.
enum Fixture {
    static let all = [tills, services, proxy, changes, traces]

    static let tills = """
        # Till receipts: a header row, one topic per shop.
        from "/srv/till/receipt-*.csv"

        parse csv(header: true) {
          receipt: int
          shop:    enum("north", "south", "harbour")
          state:   string
          sum:     decimal
          account: string
          pin:     string?
          trace:   string?
          at:      time('%Y-%m-%d %H:%M:%S', zone: "UTC")
        }

        drop "training" if state == "training"
        set account = mask(account, keep_last: 4)

        send {
          topic     = "till.${shop}"
          key       = receipt
          timestamp = at
          headers {
            trace-id  = trace
            till.host = @host
          }
          value     = json(* except pin)
        }

        on error dead_letter "till.dead"

        test "a receipt is masked" {
          input '''
            receipt,shop,state,sum,account,pin,trace,at
            7,north,paid,12.30,998877665544,1234,,2026-01-02 03:04:05
            '''
          expect {
            topic = "till.north"
            key   = "7"
            value has { receipt: 7, sum: 12.30, account: "********5544" }
          }
          expect nothing
        }

        """

    static let services = """
        from "/srv/log/*/*.log" { exclude = "/srv/log/*/debug.log" }
        parse json {
          when:    time(iso8601)
          level:   enum("low", "high")
          app:     string
          request: string?
          person:  object?
        }
        drop if level == "low" and app != "pay"
        remove person.mail, person.address
        set machine = @host
        send {
          topic = "log.${app}"  key = request ?? @host  timestamp = when  value = json(*)
          headers { level = level, request-id = request }
        }
        on error { send { topic = "log.dead"  key = @file  value = @raw  headers { why = @error.message } } }

        """

    static let proxy = """
        from "/srv/proxy/access.log" { start = end }
        parse nginx_combined
        drop "probes" if path =~ '^/(up|ready)$' or user_agent =~ '^probe/'
        set level = match {
          status >= 500          => "error"
          status in [401, 403]   => "denied"
          else                   => "fine"
        }
        set remote_addr = mask_ip(remote_addr)
        send {
          topic = "proxy.${level}"  key = remote_addr  timestamp = time
          headers { level = level, from = referer }
          value = json(*)
        }
        on error skip

        """

    static let changes = """
        from "/srv/drops/members_*.csv" { settle = 5s }
        parse csv(header: true, separator: ";") {
          kind:   enum("I", "U", "D")
          member: int
          tier:   enum("plain", "gold")?
          at:     time('%d.%m.%Y %H:%M', zone: "Europe/Berlin")
        }
        let change = {
          op:    match kind { "I" => "c", "U" => "u", "D" => "d" }
          ms:    unix_ms(at)
          from:  { file: @file, line: @line }
          after: match kind { "D" => null, else => * except (kind, at) }
        }
        send {
          topic = "members"  key = json({ member })  timestamp = at  value = json(change)
          headers { op = change.op, row = "${change.from.line}" }
        }
        if kind == "D" {
          send { topic = "members"  key = json({ member })  value = null }
        }
        on error stop

        """

    static let traces = """
        from "/srv/app/app.log" { multiline = starts_with('^\\d{4}-') }
        parse regex('(?s)^(?<at>\\S+ \\S+) (?<level>[A-Z]+) (?<where>[^ ]+) (?<text>.*)$') {
          at:    time('%Y-%m-%d %H:%M:%S,%3f', zone: "UTC")
          level: enum("INFO", "WARN")
          where: string
          text:  string
        }
        let lines = split(text, "\\n", max: 2)
        set text  = lines[0]
        set stack = lines[1] ?? null
        set fault = capture(lines[1], '^([\\w.$]+)') ?? null
        send {
          topic = "app.${lower(level)}"  key = "${@host}/${where}"  timestamp = at  value = json(*)
        }
        on error dead_letter "app.dead"

        """
}
