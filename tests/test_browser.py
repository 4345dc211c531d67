"""More pages in the browser of test_page.py."""

from pathlib import Path

import cv2

import evaluate
from conftest import draw_image
from test_page import LONG, browser, emulate, find, give, page, pytestmark, service  # noqa: F401

GENERATORS = ("TensorFlowTTS-Tacotron2", "ForwardTacotron+HiFi-GAN", "festival")


def test_the_tables_of_groups_fit_on_a_phone(browser, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    rows = [f"r{n},real,v{n},,{n % 7 - 2}" for n in range(40)]
    rows += [f"f{n},fake,v{n},{GENERATORS[n % 3]},{n % 5 - 4}" for n in range(40)]
    Path("s.csv").write_text("\n".join(["file,label,speaker,attack,score", *rows]))
    assert evaluate.main(["--scores", "s.csv", "--set", "evaluate.bootstrap=50"]) == 0
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.get(Path("evaluations/s/report.html").absolute().as_uri())
    widths = browser.execute_script(
        "return [...document.querySelectorAll('.scroll, html')]"
        ".map((e) => [e.innerText.slice(0, 60), e.scrollWidth, e.clientWidth])"
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert len(widths) > 2 and all(inner <= outer for _, inner, outer in widths), widths


def test_a_photo_is_refused_without_settings_of_the_program(page, tmp_path):  # noqa: F811
    cv2.imwrite(str(tmp_path / "photo.png"), draw_image("real", 1))
    give(page, tmp_path / "photo.png")
    assert find(page, "result-verdict").text == "This file can't be judged"
    assert "photo.png is an image, but no spectrogram for this model" in find(page, "result").text
    assert "image.channels" not in find(page, "result").text


def test_without_scripts_the_page_shows_only_that_it_needs_them(browser, service):  # noqa: F811
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(service.address)
        assert "This page needs JavaScript" in browser.find_element("tag name", "header").text
        assert not find(browser, "drop").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_paper_is_light_if_the_screen_is_dark(page):  # noqa: F811
    give(page, LONG)
    page.execute_script(
        "window.picture = () => document.getElementById('canvas').toDataURL();"
        "addEventListener('beforeprint', () => { window.printed = picture(); });"
    )
    dark_paper = {
        "media": "print",
        "features": [{"name": "prefers-color-scheme", "value": "dark"}],
    }
    try:
        emulate(page, prefers_color_scheme="light")
        light = page.execute_script("dispatchEvent(new Event('resize')); return picture()")
        emulate(page, prefers_color_scheme="dark")
        dark = page.execute_script("dispatchEvent(new Event('resize')); return picture()")
        page.execute_cdp_cmd("Page.printToPDF", {})
        printed, after = page.execute_script("return [window.printed, picture()]")
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", dark_paper)
        ink = page.execute_script("return getComputedStyle(document.body).color")
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert ink == "rgb(28, 30, 33)"
    assert (printed, after) == (light, dark) and light != dark
