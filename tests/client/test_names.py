from manyheads_client.names import Names


def test_a_name_keeps_its_latest_number() -> None:
    with Names() as names:
        names.put("a.png", 1)
        names.put("b.png", 2)
        names.put("a.png", 3)
        assert (names.find("a.png"), names.find("b.png"), names.find("c.png"), len(names)) == (3, 2, None, 2)


def test_a_dropped_name_is_unknown() -> None:
    with Names() as names:
        names.put("a.png", 1)
        names.drop("a.png")
        assert names.find("a.png") is None


def test_any_text_is_a_name() -> None:
    with Names() as names:
        names.put("\udcff", 1)
        names.put("", 0)
        assert (names.find("\udcff"), names.find("")) == (1, 0)
