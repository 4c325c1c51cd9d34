(** Losses bounded below by a function of one margin (Zhou et al., NeurIPS 2022):
    focal loss, cross-entropy and every decreasing function of the target probability.

    With margin_i = K/(K-1) <P e_{y_i}, z_i>, the target's logit minus the mean of the
    others, such a loss is at least (1/N) sum_i phi (margin_i), phi strictly decreasing,
    with equality exactly where the other logits of each sample are equal.  It need not
    be convex.  kap = (K-1) c / K.

    Without bias: for E = P Y D / sqrt n, D a diagonal of zeros and ones, ||E||_op <= 1,
    hence the regulariser is at least (kap/N) sum_{i: margin_i >= 0} margin_i, and f is at
    least the minimum over a >= 0 of phi a + kap a. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced MseModes.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Margin.
Variables (R : rcfType) (K N : nat) (lab : 'I_N -> 'I_K).
Local Notation Y := (onehot R lab).

Definition margin (Z : 'M[R]_(K, N)) i : R := K%:R / (K%:R - 1) * (ctr K *m Z) (lab i) i.
(** P z_i = margin_i P e_{y_i} for every sample: the other logits are equal. *)
Definition others_equal (Z : 'M[R]_(K, N)) : Prop :=
  forall k i, (ctr K *m Z) k i = margin Z i * (ctr K *m Y) k i.

Record contrastive (L : 'M[R]_(K, N) -> R) (phi : R -> R) : Prop := Contrastive {
  margin_bound : forall Z, N%:R^-1 * (\sum_i phi (margin Z i)) <= L Z;
  margin_bound_eq : forall Z, L Z = N%:R^-1 * (\sum_i phi (margin Z i)) <-> others_equal Z;
  phi_decreasing : forall a b, a < b -> phi b < phi a }.
End Margin.

(** ||A D||_op <= ||A||_op for a diagonal D of zeros and ones. *)
Lemma op_sq_le_select (R : rcfType) k n (A : 'M[R]_(k, n)) m (s : 'I_n -> bool) :
  0 <= m -> op_sq_le A m -> op_sq_le (A *m diag_mx (\row_i (s i)%:R)) m.
Proof.
move=> m0 opA x; rewrite op_form subr_ge0 -mulmxA.
set D := diag_mx _; have Dt : D^T = D by exact: tr_diag_mx.
have -> : D *m x^T = (x *m D)^T by rewrite trmx_mul Dt.
apply: le_trans (op_sq_leP _ opA) _; apply: ler_wpmul2l => //.
rewrite /sqF !frobE; apply: ler_sum => i _; apply: ler_sum => j _.
rewrite mul_mx_diag !mxE; case: (s j); rewrite ?mulr1 // mulr0 mulr0.
exact: sqr_ge0.
Qed.

Section Bound.
Variables (R : rcfType) (K N n d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K2 : (1 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Variables (L : 'M[R]_(K, N) -> R) (phi : R -> R).
Hypothesis contr : contrastive lab L phi.
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation rho := (mean_scale n lw lh).
Local Notation margin := (margin lab).
Local Notation ETF := (simplex_etf_collapse n lab lw lh).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K) (Z : 'M[R]_(K, N)).

(** The price of a margin. *)
Definition kap : R := (K%:R - 1) * c / K%:R.

Let K0 : (0 < K)%N. Proof. exact: ltnW. Qed.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let nN : n%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let K1 : 0 < K%:R - 1 :> R. Proof. by rewrite subr_gt0 ltr1n. Qed.
Let K1N : K%:R - 1 != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let N0 : (0 < N)%N. Proof. by rewrite (balanced_size bal) muln_gt0 K0. Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let c0 : 0 < c. Proof. exact: reg_c_gt0. Qed.
Let c_ok : 0 <= c <= c. Proof. by rewrite lexx ltW. Qed.
Let z_ok : (0 : R) <= (0 : R) <= c. Proof. by rewrite lexx ltW. Qed.

Let PYE k i : (ctr K *m Y) k i = (k == lab i)%:R - K%:R^-1.
Proof. by rewrite mulmx_onehot ctrE. Qed.

(** <P Y D, Z> = (K-1)/K times the sum of the selected margins. *)
Lemma frob_margins Z (s : 'I_N -> R) :
  frob (ctr K *m Y *m diag_mx (\row_i s i)) Z
  = (K%:R - 1) / K%:R * \sum_i s i * margin Z i.
Proof.
rewrite -mulmxA frob_mulr ctr_tr frobEcol mulr_sumr; apply: eq_bigr => i _.
rewrite (bigD1 (lab i)) //= big1 => [|k kl].
  rewrite addr0 mul_mx_diag /margin; move: (ctr K *m Z) => PZ; rewrite !mxE eqxx.
  have q : (K%:R - 1) / K%:R * (K%:R / (K%:R - 1)) = 1 :> R by field; rewrite KN K1N.
  by rewrite mul1r [s i * (_ * _)]mulrCA [RHS]mulrA q mul1r.
by rewrite mul_mx_diag !mxE eq_sym (negbTE kl) !mul0r.
Qed.

Lemma margin_scaled a : forall i, margin (a *: (ctr K *m Y)) i = a.
Proof.
move=> i; rewrite /margin -scalemxAr mulmxA ctrM // mxE PYE eqxx.
by rewrite mulr1n; field; rewrite KN K1N.
Qed.
Lemma others_equal_scaled a : others_equal lab (a *: (ctr K *m Y)).
Proof.
by move=> k i; rewrite margin_scaled -scalemxAr mulmxA ctrM // mxE.
Qed.
Lemma loss_scaled a : L (a *: (ctr K *m Y)) = phi a.
Proof.
rewrite (margin_bound_eq contr _).2; last exact: others_equal_scaled.
under eq_bigr do rewrite margin_scaled.
by rewrite sumr_const card_ord -[X in _ * X]mulr_natl mulrA mulVf // mul1r.
Qed.

(** ** Without bias *)
Section NoBiasBound.
Variable v : R.
Hypothesis v_min : forall a, 0 <= a -> v <= phi a + kap * a.
Local Notation f := (fun W H => ufm L lw lh NoBias W H 0).

Let sel Z i := 0 <= margin Z i.
Let G Z : 'M[R]_(K, N) := dual_matrix lab c 0 *m diag_mx (\row_i (sel Z i)%:R).
Let GE Z : frob (G Z) Z = - (N%:R^-1 * \sum_i kap * ((sel Z i)%:R * margin Z i)).
Proof.
rewrite /G /dual_matrix mix_ctr -!scalemxAl frobZl frobZl frob_margins -mulr_sumr.
by rewrite /kap; field; rewrite NN KN.
Qed.
Let opG Z : op_sq_le (G Z) (lw * lh).
Proof.
apply: op_sq_le_select; first by rewrite mulr_ge0 // ltW.
exact: (dual_matrix_op K0 n0 bal lw0 lh0 c_ok z_ok).
Qed.
Let pay Z i : R := phi (margin Z i) + kap * ((sel Z i)%:R * margin Z i) - v.
Let pay_neg Z i : ~~ sel Z i -> 0 < pay Z i.
Proof.
rewrite /pay /sel => h; rewrite (negbTE h) mul0r mulr0 addr0 subr_gt0.
have a0 : margin Z i < 0 by rewrite ltNge.
by apply: le_lt_trans (phi_decreasing contr a0); have := v_min (lexx 0); rewrite mulr0 addr0.
Qed.
Let pay_ge0 Z i : 0 <= pay Z i.
Proof.
case: (boolP (sel Z i)) => h; last exact: ltW (pay_neg h).
by rewrite /pay h mul1r subr_ge0 v_min.
Qed.

Let gap W H : f W H - v
  = (L (W *m H) - N%:R^-1 * \sum_i phi (margin (W *m H) i))
    + (lw / 2%:R * sqF W + lh / 2%:R * sqF H + frob (G (W *m H)) (W *m H))
    + N%:R^-1 * \sum_i pay (W *m H) i.
Proof.
rewrite GE /ufm mul0mx addr0 sqF0 mulr0 addr0 /pay sumrB big_split /=.
rewrite sumr_const card_ord -(mulr_natl v N).
move: (\sum_i phi _) (\sum_i kap * _) (L _) (lw / _ * _) (lh / _ * _) => p q l x y.
by field.
Qed.
Let g1 Z : 0 <= L Z - N%:R^-1 * \sum_i phi (margin Z i).
Proof. by rewrite subr_ge0 (margin_bound contr). Qed.
Let g2 W H := regulariser_bound lw0 lh0 W H (opG (W *m H)).
Let g3 Z : 0 <= N%:R^-1 * \sum_i pay Z i.
Proof. by apply: mulr_ge0; [rewrite invr_ge0 ltW|apply: sumr_ge0]. Qed.

(** Any lower bound of phi a + kap a over a >= 0 is a lower bound of f, at every d. *)
Theorem contrastive_lower W H : v <= f W H.
Proof. by rewrite -subr_ge0 gap; exact: addr_ge0 (addr_ge0 (g1 _) (g2 _ _)) (g3 _). Qed.

(** At its common zeros H = Hbar Y, and Z = Q Y with Q symmetric: one margin for all. *)
Let one_margin W H : others_equal lab (W *m H) ->
  W = - lw^-1 *: (dual_matrix lab c 0 *m H^T) ->
  (lw * lh) *: H = H *m (dual_matrix lab c 0)^T *m dual_matrix lab c 0 ->
  exists a, W *m H = mix K a 0 *m Y.
Proof.
set D := dual_matrix lab c 0 => oe e2 e3.
have lwN : lw != 0 by rewrite gt_eqF.
have lhN : lh != 0 by rewrite gt_eqF.
have PD : ctr K *m D = D.
  by rewrite /D /dual_matrix mix_ctr -!scalemxAl -!scalemxAr mulmxA ctrM.
have PW : ctr K *m W = W by rewrite e2 -scalemxAr mulmxA PD.
have HE : H = - lh^-1 *: (W^T *m D).
  have -> : W^T = - lw^-1 *: (H *m D^T) by rewrite {1}e2 trmxZ trmx_mul trmxK.
  rewrite -scalemxAl -e3 !scalerA -[LHS]scale1r; congr (_ *: _).
  by field; rewrite lwN lhN.
pose Q := (lh^-1 * (c / N%:R)) *: (W *m W^T).
have QE : W *m H = Q *m Y.
  rewrite {1}HE /D /dual_matrix mix_ctr -!scalemxAl -!scalemxAr !scalerA /Q -!mulmxA.
  have -> : W^T *m (ctr K *m Y) = W^T *m Y.
    by rewrite mulmxA -{1}ctr_tr -trmx_mul PW.
  by congr (_ *: _); field; rewrite NN lhN.
have Qt : Q^T = Q by rewrite /Q trmxZ trmx_mul trmxK.
have PZ : ctr K *m (W *m H) = W *m H by rewrite mulmxA PW.
pose A l := K%:R / (K%:R - 1) * Q l l.
have QA k l : Q k l = A l * ctr K k l.
  have : (0 < #|[pred i | lab i == l]|)%N by rewrite -/(class_size lab l) bal.
  case/card_gt0P => i; rewrite inE => /eqP il.
  by have := oe k i; rewrite /Contrastive.margin PZ QE !mulmx_onehot il.
pose k0 : 'I_K := Ordinal K0.
have Ac k : A k = A k0.
  have [->//|kk] := eqVneq k k0.
  have := QA k k0; rewrite -{1}Qt mxE QA !ctrE eq_sym (negbTE kk) sub0r => /eqP.
  by rewrite (inj_eq (mulIf _)) ?oppr_eq0 ?invr_eq0 // => /eqP.
exists (A k0); rewrite QE mix_ctr; congr (_ *m _).
by apply/matrixP => k l; rewrite QA Ac [RHS]mxE.
Qed.

Let collapse_value W H a : 0 <= a -> phi a + kap * a = v ->
  neural_collapse n lab lw lh a 0 W H -> f W H = v.
Proof.
move=> a0 va.
have xa : a = 0 \/ c = c by right.
have yb : (0 : R) = 0 \/ (0 : R) = c by left.
rewrite -(common_zeros_iff K0 n0 bal lw0 lh0 xa yb c_ok z_ok) mix_ctr -scalemxAl.
case=> e1 e2 e3; have oe := others_equal_scaled a.
apply/eqP; rewrite -subr_eq0 gap.
have s1 i : sel (W *m H) i by rewrite /sel e1 margin_scaled.
have GD : G (W *m H) = dual_matrix lab c 0.
  rewrite /G (_ : \row_i _ = const_mx 1) ?diag_const_mx ?mulmx1 //.
  by apply/rowP => i; rewrite !mxE s1.
rewrite (regulariser_bound_eq lw0 lh0 W H (opG (W *m H))).2; last by rewrite GD.
rewrite e1 (margin_bound_eq contr _).2 // subrr !add0r big1 ?mulr0 // => i _.
by rewrite /pay /sel margin_scaled a0 mul1r va subrr.
Qed.

(** The bound is attained exactly at simplex ETFs whose margin attains the minimum. *)
Theorem contrastive_iff W H :
  f W H = v <-> exists a, [/\ 0 <= a, phi a + kap * a = v & ETF (rho * a) W H].
Proof.
split=> [eq|[a [a0 va nc]]]; last first.
  by apply: (collapse_value a0 va); apply/etf_collapseE.
have /esym/eqP := gap W H; rewrite eq subrr.
rewrite paddr_eq0 ?(addr_ge0 (g1 _) (g2 _ _)) // paddr_eq0 // -andbA.
case/and3P; rewrite subr_eq0 => /eqP /(margin_bound_eq contr) oe /eqP reg.
rewrite mulf_eq0 invr_eq0 (negbTE NN) /= psumr_eq0 // => /allP p0.
have pz i : pay (W *m H) i = 0 by apply/eqP; exact: (p0 i (mem_index_enum _)).
have s1 i : sel (W *m H) i.
  by apply/negPn/negP => /pay_neg; rewrite pz ltxx.
have GD : G (W *m H) = dual_matrix lab c 0.
  rewrite /G (_ : \row_i _ = const_mx 1) ?diag_const_mx ?mulmx1 //.
  by apply/rowP => i; rewrite !mxE s1.
move: reg => /(regulariser_bound_eq lw0 lh0 W H (opG (W *m H))); rewrite GD => -[e2 e3].
have [a e1] := one_margin oe e2 e3.
have ma i : margin (W *m H) i = a by rewrite e1 mix_ctr -scalemxAl margin_scaled.
pose i0 := Ordinal N0; exists a; split.
- by have := s1 i0; rewrite /sel ma.
- by have /eqP := pz i0; rewrite /pay s1 ma mul1r subr_eq0 => /eqP.
have xa : a = 0 \/ c = c by right.
have yb : (0 : R) = 0 \/ (0 : R) = c by left.
by apply/etf_collapseE/(common_zeros_iff K0 n0 bal lw0 lh0 xa yb c_ok z_ok).
Qed.

(** Attained for d >= K - 1 at every minimising margin (for any d at margin 0). *)
Theorem contrastive_attained a : 0 <= a -> phi a + kap * a = v -> (K.-1 <= d)%N \/ a = 0 ->
  exists W H, f W H = v /\ ETF (rho * a) W H.
Proof.
move=> a0 va dim; have rk : (\rank (mix K a 0 : 'M[R]_K) <= d)%N.
  have [->|aN] := eqVneq a 0; first by rewrite mix_ctr scale0r mxrank0.
  by case: dim => [|/eqP]; [rewrite rank_mix_ctr|rewrite (negbTE aN)].
have [W [H nc]] := collapse_exists K0 n0 bal lw0 lh0 a0 (lexx 0) rk.
by exists W, H; split; [exact: (collapse_value a0 va nc)|apply/etf_collapseE].
Qed.

(** The global minimisers are exactly the simplex ETFs at the minimising margins. *)
Theorem contrastive_minimisers a0 W H : 0 <= a0 -> phi a0 + kap * a0 = v ->
  (K.-1 <= d)%N \/ a0 = 0 ->
  global_min L lw lh NoBias W H 0 <->
  exists a, [/\ 0 <= a, phi a + kap * a = v & ETF (rho * a) W H].
Proof.
move=> a00 va dim; have [W1 [H1 [e1 _]]] := contrastive_attained a00 va dim.
rewrite -contrastive_iff; split=> [[_ mn]|eq].
  by apply/eqP; rewrite eq_le contrastive_lower andbT -e1; exact: mn.
by split=> // W' H' b' /= ->; rewrite eq; exact: contrastive_lower.
Qed.

(** Below K - 1 dimensions it is not attained, unless margin 0 attains the minimum. *)
Theorem contrastive_needs_dim W H : (d < K.-1)%N -> v < phi 0 -> v < f W H.
Proof.
move=> dK v0; rewrite lt_neqAle contrastive_lower andbT eq_sym; apply/eqP.
case/contrastive_iff => a [a0 va /etf_collapseE nc].
have ap : 0 < a.
  rewrite lt_def a0 andbT; apply/eqP => az; move: va v0.
  by rewrite az mulr0 addr0 => ->; rewrite ltxx.
by have := etf_dim K0 n0 lw0 lh0 ap nc; rewrite leqNgt dK.
Qed.
End NoBiasBound.

(** ** Any bias mode, where phi has a supporting line at the minimising margin
    phi x >= phi a + k (a - x) for all real x, 0 <= k <= kap, and k = kap unless a = 0.
    Then -(k/N) K/(K-1) P Y is a subgradient of the loss at a P Y, convex or not, and
    the collapse identity applies. *)
Section Supported.
Variables (m : bias_mode R) (a k : R).
Hypothesis mpos : forall lb, m = RegularizedBias lb -> 0 < lb.
Hypotheses (a0 : 0 <= a) (k0 : 0 <= k) (k_le : k <= kap) (slack : a = 0 \/ k = kap).
Hypothesis support : forall x, phi a + k * (a - x) <= phi x.
Local Notation f := (ufm L lw lh m).

Let alpha : R := k * (K%:R / (K%:R - 1)).
Let G : 'M[R]_(K, N) := dual_matrix lab alpha 0.
Let Zs : 'M[R]_(K, N) := a *: (ctr K *m Y).
Let kapE : kap * (K%:R / (K%:R - 1)) = c.
Proof. by rewrite /kap; field; rewrite KN K1N. Qed.
Let r0 : 0 < K%:R / (K%:R - 1) :> R. Proof. exact: divr_gt0. Qed.
Let a_ok : 0 <= alpha <= c.
Proof. by rewrite /alpha -kapE ler_pmul2r // k_le andbT mulr_ge0 // ltW. Qed.
Let xa : a = 0 \/ alpha = c.
Proof. by case: slack => [|e]; [left|right; rewrite /alpha e]. Qed.

Let GE Z : frob G Z = - (N%:R^-1 * \sum_i k * margin Z i).
Proof.
have := frob_margins Z (fun=> 1); rewrite (_ : \row_i _ = const_mx 1); last first.
  by apply/rowP => i; rewrite !mxE.
rewrite diag_const_mx mulmx1; under eq_bigr do rewrite mul1r.
move=> e; rewrite /G /dual_matrix mix_ctr -!scalemxAl !frobZl e -mulr_sumr /alpha.
by field; rewrite NN KN K1N.
Qed.
Let Zs_loss : L Zs = phi a. Proof. exact: loss_scaled. Qed.
Let GZs : frob G Zs = - (k * a).
Proof.
rewrite GE; under eq_bigr do rewrite margin_scaled.
by rewrite sumr_const card_ord -[X in _ * X]mulr_natl mulKf.
Qed.
(** The Bregman term: the loss above its contrastive bound, and phi above its line. *)
Let bregE Z : bregman L Zs G Z = (L Z - N%:R^-1 * (\sum_i phi (margin Z i)))
  + N%:R^-1 * \sum_i (phi (margin Z i) - (phi a + k * (a - margin Z i))).
Proof.
rewrite /bregman frobBr Zs_loss GZs GE sumrB.
have -> : \sum_i (phi a + k * (a - margin Z i))
    = N%:R * (phi a + k * a) - \sum_i k * margin Z i.
  have e i : phi a + k * (a - margin Z i) = phi a + k * a - k * margin Z i by ring.
  by rewrite (eq_bigr _ (fun i _ => e i)) sumrB sumr_const card_ord mulr_natl.
move: (\sum_i phi _) (\sum_i k * _) (L Z) => p q l.
by field.
Qed.
Let b1 Z : 0 <= L Z - N%:R^-1 * \sum_i phi (margin Z i).
Proof. by rewrite subr_ge0 (margin_bound contr). Qed.
Let b2 Z i : 0 <= phi (margin Z i) - (phi a + k * (a - margin Z i)).
Proof. by rewrite subr_ge0. Qed.
Let b3 Z : 0 <= N%:R^-1 * \sum_i (phi (margin Z i) - (phi a + k * (a - margin Z i))).
Proof. by apply: mulr_ge0; [rewrite invr_ge0 ltW|apply: sumr_ge0 => i _; exact: b2]. Qed.

Lemma supported_certificate : certificate L lw lh m Zs 0 G.
Proof.
split.
- by move=> Z; rewrite -ler_subr_addl -subr_ge0 -/(bregman L Zs G Z) bregE addr_ge0.
- exact: (dual_matrix_op K0 n0 bal lw0 lh0 a_ok z_ok).
have G1 : G *m (ones N)^T = 0 by rewrite (dual_matrix_ones K0 n0 bal) mul0r oppr0 scale0r.
case: m mpos => [||lb] // mp; split; last by rewrite G1 scaler0.
exact: mp.
Qed.
Let cert := supported_certificate.
Lemma supported_value : dual_value L m Zs 0 G = phi a + kap * a.
Proof.
rewrite /dual_value Zs_loss GZs sqF0 mulr0 subr0 opprK.
by case: slack => [->|->] //; rewrite !mulr0.
Qed.

(** The minimum of phi + kap is a lower bound of f at every d ... *)
Theorem supported_lower W H b : bias_allowed m b -> phi a + kap * a <= f W H b.
Proof. by move=> ok; rewrite -supported_value; exact: (collapse_lower lw0 lh0 cert W H ok). Qed.

(** b is a constant vector (zero unless the bias is free). *)
Definition constant_bias b : Prop := if m is FreeBias then ctr K *m b = 0 else b = 0.
Let constant_ctr b : constant_bias b -> ctr K *m b = 0.
Proof. by rewrite /constant_bias; case: (m) => [->|//|? ->]; rewrite mulmx0. Qed.

(** ... attained at simplex ETFs for d >= K - 1 ... *)
Theorem supported_attained : (K.-1 <= d)%N \/ a = 0 ->
  exists W H, f W H 0 = phi a + kap * a /\ ETF (rho * a) W H.
Proof.
move=> dim; have rk : (\rank (mix K a 0 : 'M[R]_K) <= d)%N.
  have [->|aN] := eqVneq a 0; first by rewrite mix_ctr scale0r mxrank0.
  by case: dim => [|/eqP]; [rewrite rank_mix_ctr|rewrite (negbTE aN)].
have [W [H nc]] := collapse_exists K0 n0 bal lw0 lh0 a0 (lexx 0) rk.
exists W, H; split; last by apply/etf_collapseE.
have ok : bias_allowed m (0 : 'cV[R]_K) by case: (m).
rewrite -supported_value; apply/(collapse_iff lw0 lh0 cert W H ok).
have yb : (0 : R) = 0 \/ (0 : R) = c by left.
move: nc; rewrite -(common_zeros_iff K0 n0 bal lw0 lh0 xa yb a_ok z_ok).
rewrite mix_ctr -scalemxAl -/Zs => -[e1 e2 e3]; split=> //; last by rewrite subrr scaler0.
by rewrite /logits e1 mul0mx addr0 /bregman !subrr frob0r subrr.
Qed.

(** ... and only there, when the line touches phi at a alone. *)
Hypothesis touch : forall x, phi x = phi a + k * (a - x) -> x = a.

Let breg0 Z : bregman L Zs G Z = 0 <-> ctr K *m Z = Zs.
Proof.
split=> [/eqP|PZ].
  rewrite bregE paddr_eq0 // subr_eq0 mulf_eq0 invr_eq0 (negbTE NN) /=.
  case/andP => /eqP /(margin_bound_eq contr) oe.
  rewrite psumr_eq0 // => /allP p0; apply/matrixP => l i; rewrite oe [RHS]mxE; congr (_ * _).
  by apply: touch; apply/eqP; rewrite -subr_eq0; exact: (p0 i (mem_index_enum _)).
have mg i : margin Z i = a.
  by rewrite -(margin_scaled a i) /Contrastive.margin -/Zs -PZ mulmxA ctrM.
have oe : others_equal lab Z.
  by move=> l i; rewrite mg PZ [LHS]mxE.
rewrite bregE (margin_bound_eq contr _).2 // subrr add0r big1 ?mulr0 // => i _.
by rewrite mg subrr mulr0 addr0 subrr.
Qed.

Theorem supported_iff W H b : bias_allowed m b ->
  f W H b = phi a + kap * a <-> ETF (rho * a) W H /\ constant_bias b.
Proof.
move=> ok; rewrite -supported_value (collapse_iff lw0 lh0 cert W H ok) -etf_collapseE.
have yb : (0 : R) = 0 \/ (0 : R) = c by left.
rewrite -(common_zeros_iff K0 n0 bal lw0 lh0 xa yb a_ok z_ok) mix_ctr -scalemxAl -/Zs -/G.
have PZs : ctr K *m Zs = Zs by rewrite /Zs -scalemxAr mulmxA ctrM.
have PG : ctr K *m G = G.
  by rewrite /G /dual_matrix mix_ctr -!scalemxAl -!scalemxAr mulmxA ctrM.
split=> [cz|[[e1 e2 e3] eb]]; last first.
  split=> //.
    by apply/breg0; rewrite /logits e1 mulmxDr PZs mulmxA constant_ctr // mul0mx addr0.
  rewrite subr0; move: eb; rewrite /constant_bias.
  by case: (m) => [->|_|? ->] /=; rewrite ?scaler0 ?scale0r.
case: (cz) => e1 e2 e3 _.
have fit : W *m H + ctr K *m b *m ones N = Zs.
  have PW : ctr K *m W = W by rewrite e2 -scalemxAr mulmxA PG.
  by move: e1 => /breg0; rewrite /logits mulmxDr !mulmxA PW.
have eb : constant_bias b.
  case: (bias_determined lw0 lh0 cert ok cz) => [->|[mf H1]].
    by rewrite /constant_bias; case: (m) => //; rewrite mulmx0.
  rewrite /constant_bias mf; have := congr1 (mulmx^~ (ones N)^T) fit.
  rewrite /= mulmxDl -!mulmxA H1 onesK mulmx0 add0r /Zs -scalemxAl -mulmxA.
  rewrite (balanced_ones R bal) -scalemxAr ctr_ones // !scaler0.
  by rewrite !mul_mx_scalar -scalemxAr => /eqP; rewrite scaler_eq0 (negbTE NN) => /eqP.
by split=> //; split=> //; rewrite -fit constant_ctr // mul0mx addr0.
Qed.

Theorem supported_minimisers W H b : (K.-1 <= d)%N \/ a = 0 ->
  global_min L lw lh m W H b <->
  [/\ bias_allowed m b, ETF (rho * a) W H & constant_bias b].
Proof.
move=> /supported_attained [W1 [H1 [e1 _]]].
have ok0 : bias_allowed m (0 : 'cV[R]_K) by case: (m).
split=> [[ok mn]|[ok nc eb]].
  have : f W H b = phi a + kap * a.
    by apply/eqP; rewrite eq_le supported_lower // andbT -e1; exact: mn.
  by move/(supported_iff W H ok) => [].
split=> // W' H' b' ok'; rewrite (supported_iff W H ok).2 //.
exact: supported_lower.
Qed.
End Supported.
End Bound.
