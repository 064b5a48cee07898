"""What `%container system df` makes of an engine's answer."""

from course_magics.containers.disk import DiskUsage


def test_df_counts_no_image_of_which_the_engine_does_not_know() -> None:
    """A made-up answer: an engine says -1 of an image whose containers it has not counted."""
    image = {"RepoTags": None, "Id": "sha256:" + "0" * 64, "Created": 0, "Size": 1, "SharedSize": 0}
    answer = {"Images": [{**image, "Containers": n} for n in (-1, 0, 2)]}
    assert DiskUsage(answer, "docker system df").rows[0]["Active"] == "1"
