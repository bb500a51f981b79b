"use strict";
for (const films of document.querySelectorAll(".films")) {
  const videos = [...films.querySelectorAll("video")];
  const button = films.querySelector("button"), range = films.querySelector("input");
  const clock = films.querySelector("output"), speed = films.querySelector("select");
  // The longest film leads: the others hold their last frame until it ends.
  const length = (video) => video.duration || 0;
  const leader = () => videos.reduce((longest, video) => (length(video) > length(longest) ? video : longest));
  let playing = false;

  const seek = (time) => {
    for (const video of videos) video.currentTime = Math.min(time, length(video));
  };
  const show = (time) => {
    range.value = time;
    clock.value = `${time.toFixed(1)} s`;
  };
  const pause = () => {
    playing = false;
    button.textContent = "Play";
    for (const video of videos) video.pause();
  };
  const step = () => {
    if (!playing) return;
    const lead = leader(), time = lead.currentTime;
    show(time);
    for (const video of videos) {
      if (Math.abs(video.currentTime - Math.min(time, length(video))) > 0.15) video.currentTime = Math.min(time, length(video));
    }
    if (lead.ended) pause();
    else requestAnimationFrame(step);
  };
  const play = () => {
    if (leader().ended) seek(0);
    playing = true;
    button.textContent = "Pause";
    for (const video of videos) {
      video.playbackRate = Number(speed.value);
      if (!video.ended) video.play().catch(pause);
    }
    requestAnimationFrame(step);
  };

  for (const video of videos) {
    video.addEventListener("loadedmetadata", () => { range.max = length(leader()); });
  }
  if (leader().duration) range.max = length(leader());
  button.addEventListener("click", () => (playing ? pause() : play()));
  range.addEventListener("input", () => {
    pause();
    seek(Number(range.value));
    show(Number(range.value));
  });
  speed.addEventListener("change", () => {
    for (const video of videos) video.playbackRate = Number(speed.value);
  });
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
