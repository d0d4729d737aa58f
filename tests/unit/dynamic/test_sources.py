from __future__ import annotations

import json
from unittest import mock

import pytest
from pydantic import ValidationError

from jobs.common import streams
from jobs.dynamic.sources import read_sources

ENTRY = {
    "source_name": "a",
    "dataset": "claims",
    "kafka_topic": "raw_a",
    "raw_delta_path": "a_delta",
    "curated_delta_path": "a_curated",
}
OTHER = {
    **ENTRY,
    **{key: f"other_{key}" for key in ("source_name", "kafka_topic", "raw_delta_path", "curated_delta_path")},
}


@pytest.fixture
def configuration(tmp_path):
    def write(*entries):
        path = tmp_path / "data_sources.json"
        path.write_text(json.dumps(entries))
        return path

    return write


def test_entries_are_read_in_their_order(configuration):
    assert [source.source_name for source in read_sources(configuration(OTHER, ENTRY))] == ["other_source_name", "a"]


@pytest.mark.parametrize("name", ["a b", "a; rm -rf /", "$(id)", "a/../b", "", "A"])
@pytest.mark.parametrize("field", ["source_name", "kafka_topic", "raw_delta_path"])
def test_a_name_that_a_shell_or_a_path_would_take_apart_is_refused(configuration, field, name):
    with pytest.raises(ValidationError, match=field):
        read_sources(configuration({**ENTRY, field: name}))


@pytest.mark.parametrize("field", ["source_name", "kafka_topic", "raw_delta_path", "curated_delta_path"])
def test_two_sources_share_nothing(configuration, field):
    with pytest.raises(ValueError, match=f"two sources have the {field}"):
        read_sources(configuration(ENTRY, {**OTHER, field: ENTRY[field]}))


@pytest.mark.parametrize(
    "entry", [{**ENTRY, "kafka_topics": "raw_a"}, {"source_name": "a"}], ids=["typo", "too little"]
)
def test_an_entry_of_another_form_is_refused(configuration, entry):
    with pytest.raises(ValidationError):
        read_sources(configuration(entry))


def test_no_entry_is_refused(configuration):
    with pytest.raises(ValueError, match="names no source"):
        read_sources(configuration())


def stream_writer(ends):
    """Return a writer of a stream: like Spark's own, as far as its signatures go."""
    from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

    writer = mock.create_autospec(DataStreamWriter, instance=True)
    writer.option.return_value = writer.trigger.return_value = writer
    query = writer.start.return_value = mock.create_autospec(StreamingQuery, instance=True)
    query.awaitTermination.return_value = ends
    query.recentProgress = [{"numInputRows": 2}, {"numInputRows": 3}]
    return writer, query


def must_end_by_itself(run):
    writer, query = stream_writer(ends=True)
    assert run(writer) == 5
    writer.trigger.assert_called_once_with(availableNow=True)
    writer.option.assert_called_once_with("checkpointLocation", "here")
    query.awaitTermination.assert_called_once_with(9)
    query.stop.assert_called_once_with()


def test_a_stream_ends_when_all_that_was_available_is_done():
    must_end_by_itself(lambda writer: streams.run_available(writer, checkpoint="here", within=9))


def endless(writer):
    """What the guide's job does: it waits for more, for ever."""
    query = writer.option("checkpointLocation", "here").trigger(processingTime="10 seconds").start()
    query.awaitTermination()
    return 5


def test_a_stream_that_waits_for_more_is_found_out():
    with pytest.raises(AssertionError):
        must_end_by_itself(endless)


def test_a_stream_that_is_not_done_in_time_is_stopped():
    writer, query = stream_writer(ends=False)

    with pytest.raises(streams.StreamDeadline, match="after 9 s"):
        streams.run_available(writer, checkpoint="here", within=9)
    query.stop.assert_called_once_with()
