"""The page in a real browser: headless Chromium, driven by selenium."""

import base64
import csv
import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

from conftest import ROOT
from deepfake_audio.detector import Detector
from deepfake_audio.reporting.recording_report import html_report
from helpers import running_service

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BROWSER and DRIVER) and not os.environ.get("CI"),
        reason="no browser is found: install chromium and chromium-driver",
    ),
]
SAMPLE = ROOT / "data" / "sample" / "audio"
NAMES = ("long_recording.flac", "fake_espeak-ng_it_f5.flac", "real_menardi_dir-nomatch.flac")
LONG, FAKE, REAL = (SAMPLE / name for name in NAMES)
PHONE = {"width": 320, "height": 740, "deviceScaleFactor": 2, "mobile": True}
A4_INCHES, LETTER_INCHES = (8.27, 11.69), (8.5, 11)
PATIENCE_SECONDS = 600  # a hung page fails; a slow machine does not
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("page"), "--run", "models/pretrained") as it:
        yield it


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser whose downloads go to `browser.downloads`."""
    folder = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    browser.downloads = folder
    yield browser
    browser.quit()


@pytest.fixture
def page(browser, service):
    """The page, just opened; afterwards the console is empty, and all requests were loopback."""
    browser.get_log("performance")
    browser.get(service.address)
    wait(browser, lambda: find(browser, "model").text)
    browser.get_log("browser")  # has the question whether to leave the page before
    yield browser
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert {urlsplit(url).hostname for url in sent if not url.startswith(("data:", "blob:"))} == {
        "127.0.0.1"
    }


def find(browser, name):
    return browser.find_element(By.ID, name)


def wait(browser, condition):
    patient = WebDriverWait(browser, PATIENCE_SECONDS, 0.05, [StaleElementReferenceException])
    return patient.until(lambda _: condition())


def give(browser, *paths: Path) -> None:
    """Choose files, and wait until all are judged."""
    find(browser, "files").send_keys("\n".join(map(str, paths)))
    wait(browser, lambda: find(browser, "result").is_displayed())
    wait(browser, lambda: not find(browser, "work").is_displayed())


def rows_of(browser) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('#batch-rows tr')].map((row) => row.innerText)"
    )


def downloaded(browser, button: str, name: str) -> Path:
    find(browser, button).click()
    path = browser.downloads / name
    wait(browser, path.is_file)
    return path


def test_a_recording_gets_its_verdict_in_words_and_its_reasons(page):
    give(page, FAKE)
    assert find(page, "result-verdict").text == "This voice is probably fake."
    text = find(page, "result").text
    assert "97.8%" in text and "The program found traces of synthesis." in text
    assert "2.8 s" in text and "narrow, as over a telephone" in text
    assert page.switch_to.active_element.get_attribute("id") == "result-verdict"
    assert "probably fake" in find(page, "announcer").get_attribute("textContent")


def test_a_click_on_the_timeline_moves_the_player(page):
    give(page, LONG)
    assert "probably fake, from 0:16 to 0:30" in find(page, "result").text
    text = find(page, "result").text
    assert "--" not in text and "UNCERTAIN rather real" in text.replace("\n", " ")
    wait(page, lambda: page.execute_script("return document.getElementById('player').readyState"))
    plot = find(page, "plot")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    middle = webdriver.ActionChains(page).move_to_element(plot)
    middle.click().perform()

    def position() -> float:
        return page.execute_script("return document.getElementById('player').currentTime")

    wait(page, lambda: position() > 15)
    page.execute_script("document.getElementById('player').pause()")
    assert 18 < position() < 26
    words = wait(page, lambda: plot.get_attribute("aria-valuetext"))
    assert re.search(r"probability of fake 9\d\.\d%$", words)
    plot.send_keys(Keys.HOME)
    wait(page, lambda: position() == 0)
    plot.send_keys(Keys.ARROW_RIGHT)
    wait(page, lambda: position() > 0)


def test_the_results_can_be_downloaded(page):
    give(page, LONG)
    row = json.loads(downloaded(page, "download-json", "long_recording.json").read_text())
    assert (row["verdict"], row["file"]) == ("FAKE", "long_recording.flac")
    table = downloaded(page, "download-csv", "long_recording.csv").read_text("utf-8-sig")
    (cells,) = csv.DictReader(table.splitlines())
    assert cells["verdict"] == "FAKE" and float(cells["p_real"]) == row["p_real"]
    labels = downloaded(page, "download-labels", "long_recording.txt").read_text().splitlines()
    assert [line.split("\t")[2].split()[0] for line in labels] == ["UNCERTAIN", "FAKE", "UNCERTAIN"]
    report = downloaded(page, "download-report", "long_recording.html").read_text("utf-8")
    assert "long_recording.flac" in report and "<script" not in report
    picture = downloaded(page, "download-png", "long_recording.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_many_files_make_a_table_that_sorts_and_a_bad_one_only_fails_itself(page, tmp_path):
    bad = tmp_path / "=<img src=x onerror=alert(1)>;=\u202e2.mp3"
    shown = bad.name.replace("\u202e", r"\u202e")
    bad.write_bytes(b"no music")
    give(page, FAKE, bad, REAL)

    def names() -> list[str]:
        cells = page.find_elements(By.CSS_SELECTOR, "#batch-rows td.file")
        return [cell.text for cell in cells]

    assert names() == [FAKE.name, shown, REAL.name]
    find(page, "sort-confidence").click()
    assert names() == [shown, REAL.name, FAKE.name]
    find(page, "sort-confidence").click()
    assert names() == [FAKE.name, REAL.name, shown]
    head = page.find_element(By.CSS_SELECTOR, "#batch-head [aria-sort]")
    assert head.get_attribute("aria-sort") == "descending"
    page.find_elements(By.CSS_SELECTOR, "#batch-rows button")[2].click()
    assert find(page, "result-verdict").text == "This file can't be judged"
    assert shown in find(page, "result").text
    table = downloaded(page, "batch-csv", "verdicts.csv").read_text("utf-8-sig")
    rows = {row["file"]: row["verdict"] for row in csv.DictReader(table.splitlines())}
    guarded = f"'{bad.name}".replace(";", ";'")
    assert rows == {FAKE.name: "FAKE", REAL.name: "UNCERTAIN", guarded: ""}


def test_a_part_of_a_recording_can_be_judged_by_itself(page, tmp_path):
    sounds = [soundfile.read(path)[0][:30000] for path in (FAKE, REAL)]
    soundfile.write(tmp_path / "two.wav", np.stack(sounds, axis=1), 16000)
    give(page, tmp_path / "two.wav")
    shown = find(page, "result").text
    assert "2 channels carry different sounds" in shown
    assert "At least one channel is probably fake" in shown and "Channel 1: FAKE" in shown
    assert [cell.text for cell in page.find_elements(By.CSS_SELECTOR, ".list td:last-child")] == [
        "channel 1", "channel 2",
    ]  # fmt: skip
    Select(find(page, "part")).select_by_value("channel 1")
    wait(page, lambda: "carry different" not in find(page, "result").text)
    wait(page, lambda: find(page, "part").get_attribute("value") == "channel 1")


def test_cancelling_a_part_brings_the_whole_back(page, tmp_path):
    soundfile.write(tmp_path / "two.wav", np.stack([soundfile.read(FAKE)[0]] * 2, axis=1), 16000)
    give(page, tmp_path / "two.wav", REAL)
    page.execute_script(
        "const part = document.getElementById('part'); part.value = 'channel 1';"
        "part.dispatchEvent(new Event('change')); part.value = 'channel 2';"
        "part.dispatchEvent(new Event('change')); document.getElementById('cancel').click()"
    )
    assert not find(page, "work").is_displayed()
    cells = page.find_elements(By.CSS_SELECTOR, "#batch-rows td.file")
    assert [cell.text for cell in cells] == ["two.wav", REAL.name]
    assert find(page, "part").get_attribute("value") == ""


def test_a_table_names_fake_parts_and_keeps_the_focus_and_prints(page):
    give(page, LONG, FAKE)
    rows = page.find_elements(By.CSS_SELECTOR, "#batch-rows tr")
    assert "FAKE 76.5%" in rows[0].text
    assert "is probably fake, from 0:16 to 0:30" in rows[0].text
    opened = page.find_element(By.CSS_SELECTOR, "#batch-rows button")
    name = opened.get_attribute("id")
    page.execute_script("arguments[0].focus()", opened)
    give(page, REAL)
    assert len(page.find_elements(By.CSS_SELECTOR, "#batch-rows tr")) == 3
    assert page.switch_to.active_element.get_attribute("id") == name
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        printed = page.execute_script("return document.body.innerText")
        tall = page.execute_script(
            "return getComputedStyle(document.querySelector('.list')).maxHeight"
        )
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert all(path.name in printed for path in (LONG, FAKE, REAL))
    assert "Remark" in printed and "0:15.9" in printed and "downloads" not in printed.lower()
    assert tall == "none"


def test_a_picture_that_is_no_longer_kept_can_be_made_again(page):
    assert find(page, "result").get_attribute("data-pictures") == "1000"
    page.execute_script("document.getElementById('result').dataset.pictures = 1")
    give(page, FAKE, REAL, REAL)
    page.find_elements(By.CSS_SELECTOR, "#batch-rows button")[1].click()
    assert find(page, "again").text == "Judge again to see the picture"
    find(page, "again").click()
    wait(page, lambda: not page.find_elements(By.ID, "again"))
    assert find(page, "plot").is_displayed()


def emulate(browser, **features: str) -> None:
    """Set media features, such as `forced_colors="active"`; none restores those of the browser."""
    named = [{"name": name.replace("_", "-"), "value": features[name]} for name in features]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": named})


def test_high_contrast_shows_the_scale_and_the_positions(page):
    give(page, LONG)
    emulate(page, forced_colors="active")
    try:
        for mark in (".scale i", ".bar i", ".cursor"):
            color, paper = page.execute_script(
                "return [document.querySelector(arguments[0]), document.body]"
                ".map((element) => getComputedStyle(element).backgroundColor)",
                mark,
            )
            assert color != paper
    finally:
        emulate(page)


def test_another_colour_scheme_does_not_stop_the_player(page):
    give(page, LONG)
    emulate(page, prefers_color_scheme="light")
    try:
        page.execute_script("(window.kept = document.getElementById('player')).focus()")
        before = page.execute_script("return document.getElementById('canvas').toDataURL()")
        emulate(page, prefers_color_scheme="dark")
        wait(
            page,
            lambda: (
                before
                != page.execute_script("return document.getElementById('canvas').toDataURL()")
            ),
        )
        assert page.execute_script("return document.activeElement === window.kept")
    finally:
        emulate(page)


def test_dropped_text_gets_an_answer(page):
    page.execute_script(
        "const dataTransfer = new DataTransfer(); dataTransfer.setData('text/plain', 'x');"
        "dispatchEvent(new DragEvent('drop', { dataTransfer }))"
    )
    assert "That is no file." in find(page, "notice").text


def leaves_at_once(browser) -> bool:
    return browser.execute_script(
        "return dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    )


def test_the_verdicts_are_not_lost_by_a_click(page):
    assert leaves_at_once(page)
    give(page, FAKE)
    assert not leaves_at_once(page)
    link = page.find_element(By.CSS_SELECTOR, "footer a")
    assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener")


def test_a_report_that_fails_tells_so_beside_its_button(page):
    give(page, FAKE)
    page.execute_script("window.fetch = async () => { throw new TypeError(); }")
    find(page, "download-report").click()
    wait(page, lambda: "does not answer" in find(page, "download-error").text)
    assert not find(page, "notice").is_displayed()


def test_a_second_click_on_record_starts_no_second_recorder(page):
    page.execute_script(
        "window.asked = 0; navigator.mediaDevices.getUserMedia = () => { asked++;"
        "return new Promise((_, reject) => { window.refuse = reject; }); };"
        "for (const _ of [1, 2]) document.getElementById('record').click()"
    )
    assert page.execute_script("return asked") == 1
    page.execute_script("refuse()")
    wait(page, lambda: find(page, "notice").is_displayed())
    assert page.switch_to.active_element.get_attribute("id") == "record"


def test_the_microphone_is_recorded_and_judged(page):
    find(page, "record").click()
    wait(page, lambda: find(page, "record-time").text == "0:02")
    find(page, "record-stop").click()
    wait(page, lambda: find(page, "result").is_displayed())
    assert ".webm" in find(page, "result").text
    assert page.find_elements(By.CSS_SELECTOR, "#download-json")


def test_cancelling_stops_the_work(page, service):
    with service.paused():
        find(page, "files").send_keys("\n".join([str(LONG)] * 3))
        wait(page, lambda: find(page, "cancel-all").is_displayed())
        find(page, "cancel-all").click()
        wait(page, lambda: not find(page, "work").is_displayed())
    idle = {"judging": 0, "waiting": 0}
    wait(page, lambda: idle.items() <= service.ask("GET", "/api/v1/health")[1].items())
    assert not service.leftovers()


def test_escape_on_the_button_cancels_the_recording_that_is_judged(page, service):
    with service.paused():
        find(page, "files").send_keys(str(LONG))
        wait(page, lambda: find(page, "work").is_displayed())
        webdriver.ActionChains(page).send_keys(Keys.ESCAPE).perform()
        assert find(page, "work").is_displayed()
        page.execute_script("document.getElementById('cancel').focus()")
        webdriver.ActionChains(page).send_keys(Keys.ESCAPE).perform()
        wait(page, lambda: not find(page, "work").is_displayed())
    assert not find(page, "result").is_displayed()
    assert page.switch_to.active_element.get_attribute("id") == "choose"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_sideways_scrolling(page, scheme):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    emulate(page, prefers_color_scheme=scheme)
    try:
        give(page, LONG, FAKE)
        assert page.execute_script("return document.documentElement.scrollWidth") == PHONE["width"]
        wide = page.execute_script(
            "return [...document.querySelectorAll('main *')].filter((e) => "
            "e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible')"
            ".map((e) => e.id || e.className || e.tagName)"
        )
        assert set(wide) <= {"announcer"}
        verdict = page.find_element(By.CSS_SELECTOR, "#batch-rows tr td:nth-child(2)")
        assert "is probably fake, from 0:16" in verdict.text
        paper = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(20, 22, 25)") == (scheme == "dark")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        emulate(page)


def test_the_keyboard_reaches_every_control(page):
    give(page, FAKE)
    page.execute_script("document.body.tabIndex = -1; document.body.focus()")
    reached = set()
    for _ in range(40):
        webdriver.ActionChains(page).send_keys(Keys.TAB).perform()
        reached.add(page.switch_to.active_element.get_attribute("id"))
    assert reached >= {"choose", "record", "plot", "player", "download-json", "download-png"}
    unnamed = page.execute_script(
        "return [...document.querySelectorAll('button, select, input, audio, [role]')]"
        ".filter((e) => !e.hidden && e.offsetParent && !e.textContent.trim()"
        " && !e.getAttribute('aria-label') && !e.labels?.length).map((e) => e.outerHTML)"
    )
    assert unnamed == []


@pytest.mark.parametrize("repeats", [0, 1, 8], ids=["short", "long", "many_passages"])
def test_a_report_is_one_page_of_paper(browser, tmp_path, repeats):
    detector, path = Detector.pretrained(), FAKE
    if repeats:
        sound, rate_hz = soundfile.read(LONG)
        path = tmp_path / f"{'a long name ' * 9}.wav"
        channels = [np.tile(sound, repeats), np.tile(np.roll(sound, 300_000), repeats)]
        soundfile.write(path, np.stack(channels, axis=1), rate_hz)
    report = tmp_path / "report.html"
    report.write_text(html_report(detector, detector.predict(path), path), encoding="utf-8")
    browser.get(report.as_uri())
    for width, height in A4_INCHES, LETTER_INCHES:
        paper = {"paperWidth": width, "paperHeight": height, "preferCSSPageSize": True}
        printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"])
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
        (box,) = re.findall(rb"/MediaBox\s*\[0 0 (\d+)", printed)
        assert int(box) == int(72 * width)


def test_a_service_that_went_away_is_not_the_fault_of_the_file(browser, tmp_path):
    with running_service(tmp_path, "--run", "models/pretrained") as lost:
        browser.get(lost.address)
        wait(browser, lambda: find(browser, "model").text)
        with lost.paused():
            find(browser, "files").send_keys(str(LONG))
            wait(browser, lambda: find(browser, "work-state").text.startswith("Reading"))
            lost.process.kill()
        wait(browser, lambda: find(browser, "result").is_displayed())
        assert find(browser, "result-verdict").text == "The service does not answer"
        find(browser, "again").click()
        wait(browser, lambda: find(browser, "again").is_displayed())
    browser.get_log("browser")  # the browser reports the lost connections


def test_a_queue_goes_on_when_the_service_is_back(browser, tmp_path_factory):
    run = ("--run", "models/pretrained")
    with running_service(tmp_path_factory.mktemp("first"), *run) as lost:
        browser.get(lost.address)
        wait(browser, lambda: find(browser, "model").text)
        with lost.paused():
            find(browser, "files").send_keys("\n".join(map(str, (LONG, FAKE, REAL))))
            wait(browser, lambda: find(browser, "work-state").text.startswith("Reading"))
            lost.process.kill()
        wait(browser, lambda: find(browser, "go-on").is_displayed())
    first, *others = rows_of(browser)
    assert "ERROR" in first and "The service does not answer. If it" in first
    assert all("In the queue" in text for text in others)
    again = tmp_path_factory.mktemp("again")
    with running_service(again, *run, "--port", str(lost.port), "--token", "new") as back:
        find(browser, "go-on").click()
        wait(browser, lambda: find(browser, "token").is_displayed())
        find(browser, "token-text").send_keys("new", Keys.ENTER)
        wait(browser, lambda: all("%" in row for row in rows_of(browser)))
        assert not find(browser, "notice").is_displayed()
        browser.execute_script("sessionStorage.clear()")
        assert back.ask("GET", "/api/v1/health")[1]["waiting"] == 0
    browser.get_log("browser")  # the browser reports the lost connections


def test_a_file_that_the_browser_can_not_send_does_not_stop_the_queue(page, tmp_path):
    gone = tmp_path / "gone.flac"
    gone.write_bytes(FAKE.read_bytes())
    page.execute_script(
        "XMLHttpRequest.prototype.send = ((send) => function (file) {"
        "if (file.name === 'gone.flac') setTimeout(this.onerror); else send.call(this, file);"
        "})(XMLHttpRequest.prototype.send)"
    )
    give(page, gone, REAL)
    first, second = rows_of(page)
    assert "The browser could not send the file" in first and "UNCERTAIN" in second


def test_a_service_with_a_token_asks_for_it(browser, tmp_path):
    arguments = ("--run", "models/pretrained", "--token", "secret")
    with running_service(tmp_path, *arguments) as guarded:
        browser.get(guarded.address)
        wait(browser, lambda: find(browser, "token").is_displayed())
        browser.execute_script(
            "const dataTransfer = new DataTransfer(); dataTransfer.items.add(new File(['x'], 'x'));"
            "dispatchEvent(new DragEvent('drop', { dataTransfer }))"
        )
        wait(browser, lambda: "asks for a token" in find(browser, "notice").text)
        find(browser, "token-text").send_keys("secret", Keys.ENTER)
        wait(browser, lambda: find(browser, "drop").is_displayed())
        give(browser, FAKE)
        assert find(browser, "result-verdict").text == "This voice is probably fake."
        browser.execute_script("sessionStorage.clear()")
    browser.get_log("browser")  # the browser reports the answer 401
