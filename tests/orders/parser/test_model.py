from voice.orders.parser.model import EVENTS, PAIRS, Model, features_of


def test_the_pairs_of_features_name_attributes_of_their_event():
    assert all({first, second} <= set(EVENTS[event]) for event, pairs in PAIRS.items() for first, second in pairs)


def test_an_event_has_features_for_itself_each_attribute_each_flag_and_each_pair():
    event = ("replace", "correction", "", "none", 0, ("only", "more"), "focus", "new", False, "name")
    features = [feature for feature, value in features_of(event) if value == 1]
    assert features[:2] == ["replace", "replace.link=correction"]
    assert {"replace.only", "replace.more", "replace.age=new", "replace.link=correction.target=focus"} <= set(features)


def test_an_event_costs_the_weights_of_its_features():
    model = Model({"no_edit": 0.5, "no_edit.production=add": 0.25})
    assert (model.cost(("no_edit", "add")), model.cost(("no_edit", "split"))) == (0.75, 0.5)
