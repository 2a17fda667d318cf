extension FunctionSignature {
    static let mask = Self(
        .privacy,
        [.value("text"), .label("keep_last", .int), .label("keep_first", .int)],
        .string,
        "the text with `*` for each character that is not kept; one that would stay whole is hidden"
            + " whole",
        [
            .init(#"mask("4111111111111111", keep_last: 4)"#, #""************1111""#),
            .init(#"mask("ab", keep_last: 4)"#, #""**""#),
        ]
    )
    static let maskIP = Self(
        .privacy,
        [.value("address")],
        .string,
        "the address with its last part set to zero",
        [
            .init(#"mask_ip("203.0.113.9")"#, #""203.0.113.0""#),
            .init(#"mask_ip("2001:db8::1")"#, #""2001:db8::0""#),
            .init(#"mask_ip("nobody")"#, fails: #"mask_ip(): "nobody" is not an address"#),
        ]
    )
    static let sha256 = Self(
        .privacy,
        [.value("text")],
        .string,
        "SHA-256, as 64 hexadecimal digits; what can be guessed is not hidden by it: use `hmac`",
        [
            .init(
                #"sha256("abc")"#,
                #""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#
            )
        ]
    )
    static let hmac = Self(
        .privacy,
        [.value("text"), .label("key", .secret, required: true)],
        .string,
        "HMAC-SHA-256 with a secret of `forktail.conf`, as 64 hexadecimal digits: the same text has"
            + " the same code, and nobody without the secret can guess it",
        [
            .init(
                #"hmac("ada@example.org", key: customers)"#,
                #""5f6746630b386712d23ab61d3fc1faa473befeefa52341657aa1d75939c3768f""#
            )
        ]
    )
    static let redact = Self(
        .privacy,
        [
            .value("text"), .value("kind", .choice(redacted)), .optional("kind", .choice(redacted)),
            .optional("kind", .choice(redacted)),
        ],
        .string,
        "the text with `[card]`, `[email]`, `[iban]` for what looks like one: a card number of 13 to"
            + " 19 digits that passes Luhn's check, an IBAN that passes its own (mod 97)",
        [
            .init(
                #"redact("card 4111 1111 1111 1111 of ada@example.org", "card", "email")"#,
                #""card [card] of [email]""#
            ),
            .init(#"redact("to DE89 3704 0044 0532 0130 00", "iban")"#, #""to [iban]""#),
            .init(#"redact("order 4111111111111112", "card")"#, #""order 4111111111111112""#),
        ]
    )

    package static let redacted = ["card", "email", "iban"]
}
